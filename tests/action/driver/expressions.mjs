// GitHub's own evaluator of expressions, given plain values; and what the `github` context is for an event.
// As a program: reads {"event", "payload", "environment", "expressions": [...]} and writes the list of their values.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { data, Evaluator, Lexer, Parser } from "@actions/expressions";

function toData(value) {
  if (value === null || value === undefined) return new data.Null();
  if (typeof value === "string") return new data.StringData(value);
  if (typeof value === "number") return new data.NumberData(value);
  if (typeof value === "boolean") return new data.BooleanData(value);
  if (Array.isArray(value)) return new data.Array(...value.map(toData));
  return new data.Dictionary(...Object.entries(value).map(([key, one]) => ({ key, value: toData(one) })));
}

/** The value of an expression (what stands between the braces). `status` is the job's, for always() and its like. */
export function evaluate(expression, contexts, status = "success") {
  const is = (...wanted) => () => new data.BooleanData(wanted.includes(status));
  const functions = Object.entries({
    always: is("success", "failure", "cancelled"),
    success: is("success"),
    failure: is("failure"),
    cancelled: is("cancelled"),
  }).map(([name, call]) => ({ name, minArgs: 0, maxArgs: 0, call }));
  const tree = new Parser(new Lexer(expression).lex().tokens, Object.keys(contexts), functions).parse();
  return new Evaluator(tree, toData(contexts), new Map(functions.map((one) => [one.name, one]))).evaluate();
}

export const truthy = (value) => !["", "false", "0"].includes(value.coerceString());

/** A text with every `${{ expression }}` in it replaced by its value. */
export function interpolate(text, contexts) {
  return String(text).replace(/\$\{\{((?:'[^']*'|[^'}]|\}(?!\}))*)\}\}/g, (_, expression) =>
    evaluate(expression.trim(), contexts).coerceString(),
  );
}

/** The `github` context of an event, as far as actions read it. */
export function githubContext(event, payload, environment = {}) {
  const pull = payload.pull_request;
  const server = environment.GITHUB_SERVER_URL ?? "https://github.com";
  const branch = `refs/heads/${payload.repository?.default_branch ?? "main"}`;
  return {
    event_name: event,
    event: payload,
    actor: payload.sender?.login ?? "",
    job: "review",
    repository: payload.repository?.full_name ?? "",
    repository_owner: payload.repository?.owner?.login ?? "",
    // pull_request_target and issue_comment run on the default branch: nothing of the head is in `ref` or `sha`.
    ref: event === "pull_request" ? `refs/pull/${pull.number}/merge` : (payload.merge_group?.head_ref ?? branch),
    sha: payload.merge_group?.head_sha ?? pull?.base?.sha ?? "0".repeat(40),
    head_ref: pull?.head?.ref ?? "",
    base_ref: pull?.base?.ref ?? "",
    run_id: "1234567890",
    run_attempt: "1",
    run_number: "1",
    server_url: server,
    api_url: environment.GITHUB_API_URL ?? "https://api.github.com",
    graphql_url: environment.GITHUB_GRAPHQL_URL ?? "https://api.github.com/graphql",
    token: environment.GITHUB_TOKEN ?? "",
  };
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const asked = JSON.parse(readFileSync(0, "utf8"));
  const contexts = { github: githubContext(asked.event, asked.payload, asked.environment), inputs: {} };
  const said = asked.expressions.map((one) => {
    const value = evaluate(one, contexts);
    return { text: value.coerceString(), truthy: truthy(value) };
  });
  console.log(JSON.stringify(said));
}
