// Checks that a request comes from ironcron, and tells it the end of a run that goes on after its answer.
import { createHmac, timingSafeEqual } from "node:crypto";

const TOLERANCE_S = 300;
const secret = () => process.env.JOB_SECRET ?? fail("JOB_SECRET is not set");
const fail = (text: string): never => { throw new Error(text); };

export type Run = {
  job: string; run_id: string; due_at: string; attempt: number; fence: number; trigger: string;
  params: Record<string, string>;
};

const hmac = (seconds: string, body: string) =>
  createHmac("sha256", secret()).update(`${seconds}.${body}`).digest();

// The run, and the key that all attempts at one slot share; null: forged, or too old.
export async function verify(request: Request): Promise<{ run: Run; key: string } | null> {
  const body = await request.text();
  const signature = /^t=(\d{1,15}),v1=([0-9a-f]{64})$/.exec(request.headers.get("x-ironcron-signature") ?? "");
  if (!signature) return null;
  const [, seconds, hex] = signature;
  if (!timingSafeEqual(hmac(seconds, body), Buffer.from(hex, "hex"))) return null;
  if (Math.abs(Date.now() / 1000 - Number(seconds)) > TOLERANCE_S) return null;
  const run = JSON.parse(body) as Run;
  // The body is signed, headers are not: a key that does not follow from the body was put there by somebody else.
  const key = run.trigger === "manual" ? run.run_id : `${run.job}/${run.due_at}`;
  return request.headers.get("idempotency-key") === key ? { run, key } : null;
}

// For jobs with `complete: callback`. Told until it is recorded; a 409 says that ironcron has given the run up.
export async function tellEnd(run: Run, error?: string): Promise<void> {
  const body = JSON.stringify({ fence: run.fence, state: error ? "FAILED" : "SUCCESS", error });
  for (let wait = 1; wait <= 64; wait *= 2) {
    const seconds = String(Math.floor(Date.now() / 1000));
    const signature = `t=${seconds},v1=${hmac(seconds, body).toString("hex")}`;
    const answer = await fetch(`${process.env.IRONCRON_URL}/api/v1/runs/${run.run_id}/end`, {
      method: "POST", body, headers: { "content-type": "application/json", "x-ironcron-signature": signature },
    }).catch(() => null);
    if (answer && answer.status < 500) return;
    await new Promise((done) => setTimeout(done, wait * 1000));
  }
}
