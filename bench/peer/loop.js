// Many jobs due in the same second, each: take an advisory lock, insert STARTED, do nothing, insert the end, unlock.
"use strict";
const cron = require("node-cron");
const { Pool } = require("pg");

const jobs = Number(process.argv[2] || 1000);
const PERIOD = 10, BURSTS = 3;
const pool = new Pool({ user: "bench", database: "postgres", max: 10 });
const delays = new Map(); // due -> milliseconds until STARTED was committed

async function run(job, due) {
  const client = await pool.connect();
  const key = `${job}/${due}`;
  try {
    const lock = await client.query("select pg_try_advisory_lock(hashtextextended($1, 0)) as won", [key]);
    if (!lock.rows[0].won) return;
    const row = "insert into audit(job, due, status) values ($1, to_timestamp($2), $3)";
    await client.query(row, [job, due / 1000, "STARTED"]);
    if (!delays.has(due)) delays.set(due, []);
    delays.get(due).push(Date.now() - due);
    await client.query(row, [job, due / 1000, "SUCCESS"]);
    await client.query("select pg_advisory_unlock(hashtextextended($1, 0))", [key]);
  } finally {
    client.release();
  }
}

async function main() {
  await pool.query("create table audit(id bigserial primary key, job text not null, due timestamptz not null,"
    + " status text not null, at timestamptz not null default clock_timestamp())");
  await pool.query("create index on audit(job, due)");
  const first = (Math.floor(Date.now() / 1000 / PERIOD) + 1) * PERIOD * 1000;
  for (let i = 0; i < jobs; i++) {
    cron.schedule(`*/${PERIOD} * * * * *`, () => {
      const due = Math.floor((Date.now() + 5) / PERIOD / 1000) * PERIOD * 1000;
      run(`job-${i}`, due).catch((error) => { console.error(error); process.exit(1); });
    });
  }
  await new Promise((resolve) => setTimeout(resolve, first + BURSTS * PERIOD * 1000 - 1000 - Date.now()));
  for (const [, list] of [...delays].sort()) {
    list.sort((a, b) => a - b);
    const at = (share) => list[Math.min(list.length - 1, Math.floor(list.length * share))];
    console.log(`peer: ${list.length} slots; due to STARTED ms: p50 ${at(0.5)} p99 ${at(0.99)} max ${at(1)}`);
  }
  process.exit(0);
}

main();
