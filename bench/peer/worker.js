// No-op jobs a second by graphile-worker at its best (local queue, completions in batches), and by pg-boss fetching and
// completing a thousand at a time in four loops: node worker.js graphile|pgboss JOBS. Prints the rate. graphile-worker's
// time on an empty queue is taken off, as its own performance test does.
"use strict";
const { Pool } = require("pg");

const [which, count] = [process.argv[2], Number(process.argv[3])];
const connection = { host: process.env.PGHOST, user: "bench", database: "postgres" };
const pool = new Pool(connection);

async function seconds(work) {
  const begin = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - begin) / 1e9;
}

async function graphile() {
  const { runOnce, runMigrations, Logger } = require("graphile-worker");
  let ran = 0;
  const options = {
    logger: new Logger(() => () => {}), noHandleSignals: true, taskList: { noop: () => { ran++; } },
    preset: { worker: { connectionString: `postgres://bench@/postgres?host=${process.env.PGHOST}`, concurrentJobs: 24,
      maxPoolSize: 25, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
  };
  await runMigrations(options);
  await runOnce(options);
  const empty = await seconds(() => runOnce(options));
  await pool.query("select count(*) from graphile_worker.add_jobs(array(select row('noop', json_build_object('id', i), null,"
    + " null, null, null, null, null)::graphile_worker.job_spec from generate_series(1, $1::int) i))", [count]);
  await pool.query("checkpoint");
  const taken = await seconds(() => runOnce(options));
  if (ran !== count) throw new Error(`${ran} of ${count} ran`);
  return count / (taken - empty);
}

async function pgboss() {
  const PgBoss = require("pg-boss");
  await pool.query("drop schema if exists pgboss cascade");
  const boss = new PgBoss({ ...connection, max: 10 });
  await boss.start();
  await boss.createQueue("noop");
  for (let i = 0; i < count; i += 5000) {
    await boss.insert(Array.from({ length: Math.min(5000, count - i) }, (_, k) => ({ name: "noop", data: { id: i + k } })));
  }
  await pool.query("checkpoint");
  await pool.query("analyze pgboss.job");
  const loop = async () => {
    for (let jobs; (jobs = await boss.fetch("noop", { batchSize: 1000 })).length > 0;) {
      await boss.complete("noop", jobs.map((job) => job.id));
    }
  };
  const taken = await seconds(() => Promise.all([loop(), loop(), loop(), loop()]));
  await boss.stop({ graceful: false, wait: true });
  return count / taken;
}

(which === "graphile" ? graphile : pgboss)().then((rate) => {
  console.log(rate.toFixed(0));
  process.exit(0);
}, (error) => {
  console.error(error);
  process.exit(1);
});
