import { tellEnd, verify, type Run } from "@/lib/ironcron";
import { jobs, type Job } from "@/lib/jobs";
import { once } from "@/lib/once";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";

const answer = (status: number, text: string) => new Response(`${text}\n`, { status });

export async function POST(request: Request, { params }: { params: { job: string } }) {
  const verified = await verify(request);
  if (!verified) return answer(401, "not signed by ironcron, or too long ago");
  const { run, key } = verified;
  if (run.job !== params.job) return answer(400, "signed for another job");
  const job = jobs[run.job];
  if (!job) return answer(404, `there is no job ${run.job}`);
  return job.answersFirst ? answerFirst(run, key, job) : answerAfter(run, key, job);
}

async function answerAfter(run: Run, key: string, job: Job) {
  try {
    const result = await once(key, () => job.work(run));
    return answer(result === "under way" ? 409 : 200, result);
  } catch (error) {
    return answer(500, String(error));
  }
}

// What is not awaited goes on after the answer, as long as this server lives.
function answerFirst(run: Run, key: string, job: Job) {
  once(key, () => job.work(run)).then(
    (result) => (result === "under way" ? undefined : tellEnd(run)),
    (error) => tellEnd(run, String(error)),
  );
  return answer(202, "under way");
}
