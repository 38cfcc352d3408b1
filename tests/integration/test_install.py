"""`make install` into a folder: each file, that the installed program works, and that the manual, the unit, the alert
rules and the completions are good in the eyes of the programs that read them."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import BINARY, PATIENCE, ROOT, environment

FILES = """bin/ironcron share/man/man1/ironcron.1 share/man/man5/ironcron.yml.5 share/bash-completion/completions/ironcron
share/zsh/site-functions/_ironcron share/fish/vendor_completions.d/ironcron.fish lib/systemd/system/ironcron.service
share/doc/ironcron/README.md share/doc/ironcron/docs/getting-started.md share/doc/ironcron/examples/ironcron.yml
share/doc/ironcron/examples/prometheus.yml share/doc/ironcron/examples/ironcron-rules.yml
share/doc/ironcron/examples/jobs-as-other-users.conf""".split()


def install(folder, *arguments, code=0, prefix="/opt/ic"):
    done = subprocess.run([ROOT / "scripts/install", *arguments], capture_output=True, text=True, check=False, cwd="/",
                          env={**os.environ, "DESTDIR": str(folder), "PREFIX": prefix, "BINARY": BINARY})
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    install(folder)
    return folder / "opt/ic"


def needs(program):
    if shutil.which(program, path="/usr/bin:/bin:/usr/sbin:/sbin") is None:
        pytest.skip(f"{program} is not installed")


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_everything_has_its_place(installed):
    found = files(installed)
    assert set(FILES) <= set(found), set(FILES) - set(found)
    assert {f"share/doc/ironcron/docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= set(found)
    assert all((installed / name).stat().st_size > 0 for name in found)
    assert [name for name in found if os.access(installed / name, os.X_OK)] in (["bin/ironcron"], found)
    assert (installed / "bin/ironcron").stat().st_mode & 0o777 == 0o755
    assert all((installed / name).stat().st_mode & 0o777 == 0o644 for name in found if name != "bin/ironcron")


def test_what_is_installed_works_and_knows_nothing_of_where_it_was_built(installed, tmp_path):
    binary = installed / "bin/ironcron"
    assert str(ROOT).encode() not in binary.read_bytes()
    done = subprocess.run([binary, "-c", tmp_path / "x.yml", "next", "@daily"], capture_output=True, text=True, check=True,
                          env=environment(tmp_path))
    assert len(done.stdout.splitlines()) == 5
    for name in files(installed):
        if not name.startswith("share/doc"):
            assert str(ROOT).encode() not in (installed / name).read_bytes(), name


def test_uninstall_takes_away_what_install_has_put_there_and_nothing_else(tmp_path):
    install(tmp_path)
    own = tmp_path / "opt/ic/share/man/man1/other.1"
    own.write_text("somebody else's")
    install(tmp_path, "uninstall")
    assert files(tmp_path) == ["opt/ic/share/man/man1/other.1"]
    install(tmp_path, "uninstall")


def test_wrong_use_of_the_script_is_refused(tmp_path):
    assert "absolute" in install(tmp_path, code=2, prefix="opt").stderr
    assert "usage" in install(tmp_path, "remove", code=2).stderr
    assert files(tmp_path) == []


# ---- the manual ----------------------------------------------------------------------------------

PAGES = ["share/man/man1/ironcron.1", "share/man/man5/ironcron.yml.5"]


@pytest.mark.parametrize("page", PAGES)
def test_manual_pages_are_sound(installed, page):
    needs("man")
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l", installed / page],
                          capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, "")
    needs("mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", installed / page], capture_output=True, text=True,
                          check=False)
    # A date would make each build another one.
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


def rendered(path):
    done = subprocess.run(["man", "-l", path], capture_output=True, text=True, check=True,
                          env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MANWIDTH": "100"})
    return done.stdout


def test_the_manual_has_every_command_option_and_key(installed, ironcron):
    needs("man")
    text = " ".join(rendered(installed / PAGES[0]).split())
    headings = re.findall(r"^### (ironcron .*)$", (ROOT / "docs/cli.md").read_text(), re.M)
    assert len(headings) > 20 and [name for name in headings if name not in text] == []
    options = set(re.findall(r"^\| `(?:-\w, )?(--[\w-]+)", (ROOT / "docs/cli.md").read_text(), re.M))
    assert len(options) > 10 and [name for name in options if name not in text] == []
    text = rendered(installed / PAGES[1])
    keys = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/configuration.md").read_text(), re.M)
    assert len(keys) > 50 and [key for key in keys if not re.search(rf"^ +{key} \(", text, re.M)] == []


# ---- the unit and the alert rules ----------------------------------------------------------------


def test_the_unit_is_sound_and_fenced_in(installed, tmp_path):
    needs("systemd-analyze")
    unit = tmp_path / "ironcron.service"
    unit.write_text((installed / "lib/systemd/system/ironcron.service").read_text().replace("/opt/ic", str(installed)))
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", unit]
    done = subprocess.run(security, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]
    unit.write_text(unit.read_text().replace("Type=notify", "Typ=notify"))  # the check can fail
    assert "Typ" in subprocess.run(verify, capture_output=True, text=True, check=False).stderr


def test_prometheus_takes_the_example_and_its_rules(installed, tmp_path):
    needs("promtool")
    shutil.copytree(installed / "share/doc/ironcron/examples", tmp_path / "examples")
    done = subprocess.run(["promtool", "check", "config", tmp_path / "examples/prometheus.yml"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0 and "rules found" in done.stdout, done.stdout + done.stderr


def test_the_rules_ask_for_metrics_that_there_are(installed, ironcron):
    rules = (installed / "share/doc/ironcron/examples/ironcron-rules.yml").read_text()
    asked = set(re.findall(r"\b((?:job|ironcron)_\w+)(?=[\[{) ]|$)", "\n".join(re.findall(r"expr: (.*)", rules)))) - {"job_name"}
    ironcron.config('jobs:\n  - { name: a, schedule: "@hourly", shell: "true" }\n')
    with ironcron.serve() as node:
        served = {name.partition("{")[0] for name in node.metrics()}
    assert len(asked) > 4 and asked <= served, asked - served


def test_the_packaged_configuration_is_right(ironcron):
    text = (ROOT / "packaging/ironcron.yml").read_text()
    ironcron.config_path.write_text(text.replace("/var/lib/ironcron/", f"{ironcron.folder}/"))
    assert ironcron.json("jobs") == []
    example = text[text.index("#  - name"):].replace("#  ", "  ")
    ironcron.config_path.write_text(text[:text.index("jobs: []")] + "jobs:\n" + example)
    assert [job["job"] for job in ironcron.json("jobs")] == ["hello"]


# ---- completions, as the shells load them --------------------------------------------------------


def complete(shell, script, installed, folder):
    needs(shell)
    done = subprocess.run([shell, *(["-f"] if shell == "zsh" else []), "-c", script], capture_output=True, text=True,
                          check=False, timeout=PATIENCE, stdin=subprocess.DEVNULL,
                          env={**environment(folder), "PATH": f"{installed}/bin:/usr/bin:/bin", "TERM": "dumb",
                               "XDG_DATA_DIRS": f"{installed}/share:/usr/share"})
    return done.stdout + done.stderr


def test_bash_loads_it_from_where_it_is_installed(installed, tmp_path):
    script = (f"source {installed}/share/bash-completion/completions/ironcron; complete -p ironcron; "
              "COMP_WORDS=(ironcron runs o); COMP_CWORD=2; _ironcron; echo ${COMPREPLY[*]}")
    assert complete("bash", script, installed, tmp_path).splitlines() == ["complete -F _ironcron ironcron", "output"]


def test_fish_finds_it_in_its_vendor_folder(installed, tmp_path):
    found = complete("fish", "complete -C 'ironcron runs o'", installed, tmp_path)
    assert found.split("\t")[0] == "output", found


def test_zsh_autoloads_it_from_its_function_folder(installed, tmp_path):
    # A real line editor is asked, through a pseudo terminal of zsh's own.
    script = f"""
zmodload zsh/zpty; zpty z zsh -f -i
zpty -w z "PS1= ; fpath=({installed}/share/zsh/site-functions $fpath); autoload -U compinit; compinit -u -D"
zpty -w z 'bindkey "^I" complete-word; echo re""ady'
zpty -r -m z x '*ready*'
zpty -w -n z $'ironcron runs outp\\t'
zpty -w -n z $'\\C-a: \\n'; zpty -w z 'fc -ln -1; echo do""ne'
zpty -r -m z x '*done*'; print -r -- $x
"""
    assert "ironcron runs output" in complete("zsh", script, installed, tmp_path)
