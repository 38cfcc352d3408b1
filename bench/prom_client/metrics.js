// metrics.js URL: takes the page at URL (text 0.0.4), makes the same series with prom-client, serves them at /metrics
// of a free port, and prints "PORT SERIES RENDER_MS…" (rendering alone, five times) when it is ready. A histogram
// gets as many observations as the page counts, so that all series and labels are the same.
"use strict";
const http = require("node:http");
const client = require("prom-client");

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

const labelsOf = (text) =>
  Object.fromEntries(Array.from((text ?? "").matchAll(LABEL), ([, name, value]) =>
    [name, value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c))]));

function addHistogram(name, help, samples) {
  const series = new Map();
  for (const { sample, labels, value } of samples.filter((s) => s.sample === `${name}_bucket`)) {
    const { le, ...rest } = labels;
    const key = JSON.stringify(rest);
    if (!series.has(key)) series.set(key, { labels: rest, buckets: [] });
    series.get(key).buckets.push({ le, value });
  }
  const [first] = series.values();
  const bounds = first.buckets.filter((b) => b.le !== "+Inf").map((b) => Number(b.le));
  const made = new client.Histogram({ name, help, labelNames: Object.keys(first.labels), buckets: bounds });
  for (const { labels, buckets } of series.values()) {
    let before = 0;
    for (const { le, value } of buckets) {
      for (; before < value; before++) made.observe(labels, le === "+Inf" ? bounds.at(-1) * 2 : Number(le));
    }
  }
}

function add(name, type, help, samples) {
  if (samples.length === 0) return;
  if (type === "histogram") return addHistogram(name, help, samples);
  const Kind = type === "counter" ? client.Counter : client.Gauge;
  const made = new Kind({ name, help, labelNames: Object.keys(samples[0].labels) });
  for (const { labels, value } of samples) made[type === "counter" ? "inc" : "set"](labels, value);
}

function read(page) {
  let family = null;
  const flush = () => family && add(family.name, family.type, family.help, family.samples);
  for (const line of page.split("\n")) {
    if (line.startsWith("# HELP ")) {
      flush();
      const [name, ...help] = line.slice(7).split(" ");
      family = { name, help: help.join(" "), type: "", samples: [] };
    } else if (line.startsWith("# TYPE ")) {
      family.type = line.split(" ")[3];
    } else if (line !== "") {
      const [, sample, labels, value] = LINE.exec(line);
      family.samples.push({ sample, labels: labelsOf(labels), value: Number(value) });
    }
  }
  flush();
}

async function main(url) {
  read(await (await fetch(url)).text());
  const times = [];
  let page = "";
  for (let i = 0; i < 5; i++) {
    const begin = performance.now();
    page = await client.register.metrics();
    times.push((performance.now() - begin).toFixed(1));
  }
  let series = 0;
  for (const line of page.split("\n")) series += line !== "" && !line.startsWith("#");
  const server = http.createServer(async (request, response) => {
    response.setHeader("content-type", client.register.contentType);
    response.end(await client.register.metrics());
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port, series, ...times));
}

main(process.argv[2]);
