// Does something once for each key, however often it is asked: a finished key has a file. Where the work is in your
// database, insert the key in its transaction instead, under a unique index; then both happen, or neither.
import { createHash } from "node:crypto";
import { access, mkdir, writeFile } from "node:fs/promises";

const folder = "data/keys";
const underWay = ((globalThis as { underWay?: Set<string> }).underWay ??= new Set());

export type Once = "done" | "done before" | "under way";

// A failure leaves no trace: the next attempt at the slot has the same key, and is to do the work.
export async function once(key: string, work: () => Promise<void>): Promise<Once> {
  const file = `${folder}/${createHash("sha256").update(key).digest("hex")}`;
  if (underWay.has(key)) return "under way";
  underWay.add(key);
  try {
    if (await access(file).then(() => true, () => false)) return "done before";
    await work();
    await mkdir(folder, { recursive: true });
    await writeFile(file, key);
    return "done";
  } finally {
    underWay.delete(key);
  }
}
