// Lets Node import JSON without an import attribute, as GitHub's packages do. Given to Node with --import.
import { readFile } from "node:fs/promises";
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

if (isMainThread) register(import.meta.url); // the hooks run in a thread of their own, where this file is loaded again

export async function load(url, context, next) {
  if (!url.startsWith("file:") || !url.endsWith(".json") || context.importAttributes?.type === "json") {
    return next(url, context);
  }
  return { format: "module", shortCircuit: true, source: `export default ${await readFile(new URL(url), "utf8")}` };
}
