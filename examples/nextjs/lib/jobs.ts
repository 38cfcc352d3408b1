// What the jobs of ironcron.yml do. Each name here is one there.
import { appendFile, mkdir } from "node:fs/promises";
import type { Run } from "@/lib/ironcron";

export type Job = {
  work: (run: Run) => Promise<void>;
  answersFirst?: boolean; // it is long: 202 now, a callback at its end
};

// Stands for your own work, so that one can see what was done.
async function note(run: Run) {
  await mkdir("data", { recursive: true });
  await appendFile("data/done.log", `${run.job} ${run.due_at} attempt ${run.attempt}\n`);
}

export const jobs: Record<string, Job> = {
  "send-digest": { work: note },
  "flaky": {
    work: async (run) => {
      if (run.attempt < 2) throw new Error("the mail server is away");
      await note(run);
    },
  },
  "rebuild-search": {
    answersFirst: true,
    work: async (run) => {
      await new Promise((done) => setTimeout(done, 500));
      await note(run);
    },
  },
};
