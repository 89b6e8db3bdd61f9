// Runs a composite action on this machine, step by step: read by GitHub's own parser, its expressions by GitHub's own
// evaluator, its scripts by bash as a runner starts them. A test of the action's contract, not a runner: it has no
// containers, scopes no token, and a step that uses another action is only written down, with what it was given.
//
// Reads {"folder", "event", "payload", "inputs", "environment", "workspace", "temp"} and writes what came of it.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAction } from "@actions/workflow-parser/actions/action-parser";
import { convertToIfCondition } from "@actions/workflow-parser/model/converter/if-condition";
import { NoOperationTraceWriter } from "@actions/workflow-parser/templates/trace-writer";
import { parse as parseYaml } from "yaml";
import { evaluate, githubContext, interpolate, truthy } from "./expressions.mjs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const runner = { os: "Linux", arch: "X64", temp: asked.temp, environment: "self-hosted", name: "test" };

/** The action as GitHub's parser takes it, and as plain YAML for the texts: the parser keeps the source of blocks. */
function readAction(folder) {
  const name = ["action.yml", "action.yaml"].find((one) => existsSync(join(folder, one)));
  const content = readFileSync(join(folder, name), "utf8");
  const parsed = parseAction({ name, content }, new NoOperationTraceWriter());
  const errors = parsed.context.errors.getErrors().map((one) => one.message);
  if (errors.length) throw new Error(errors.join("\n"));
  return { parsed, plain: parseYaml(content, { schema: "core" }) };
}

/** Inputs as composite steps see them. A runner does not hold anybody to `required`, and warns of unknown ones. */
function readInputs(declared, given, contexts) {
  const unknown = Object.keys(given).filter((one) => !(one in declared));
  if (unknown.length) throw new Error(`unexpected inputs: ${unknown.join(", ")}`);
  return Object.fromEntries(
    Object.entries(declared).map(([name, one]) => [name, given[name] ?? interpolate(one.default ?? "", contexts)]),
  );
}

/** A file of `name=value` and `name<<delimiter` entries, read as strictly as a runner reads it. */
function readEntries(path) {
  const lines = readFileSync(path, "utf8").split("\n");
  const entries = {};
  while (lines.length) {
    const line = lines.shift();
    const heredoc = /^([^=]*?)<<(.*)$/.exec(line);
    if (heredoc) {
      const end = lines.indexOf(heredoc[2]);
      if (end < 0) throw new Error(`Matching delimiter not found '${heredoc[2]}'`);
      entries[heredoc[1]] = lines.splice(0, end + 1).slice(0, -1).join("\n");
    } else if (line.includes("=")) {
      entries[line.slice(0, line.indexOf("="))] = line.slice(line.indexOf("=") + 1);
    } else if (line) {
      throw new Error(`Invalid format '${line}'`);
    }
  }
  return entries;
}

/** The workflow commands in what a step printed; between stop-commands and its token nothing is one. */
function readCommands(text) {
  const commands = [];
  let stopped = null;
  for (const line of text.split("\n")) {
    const found = /^\s*::([\w-]+)(?: (.*?))?::(.*)$/.exec(line);
    if (stopped !== null) {
      if (line === `::${stopped}::`) stopped = null;
    } else if (found?.[1] === "stop-commands") {
      stopped = found[3];
    } else if (found) {
      commands.push({ name: found[1], properties: found[2] ?? "", message: found[3] });
    }
  }
  return commands;
}

function runnerFiles(number) {
  const folder = join(asked.temp, "_runner_file_commands", String(number));
  mkdirSync(folder, { recursive: true });
  const names = ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE"];
  const files = Object.fromEntries(names.map((name) => [name, join(folder, name)]));
  Object.values(files).forEach((path) => writeFileSync(path, ""));
  return files;
}

/** What a runner sets for every step. A composite step gets no input and no token unless `env:` maps it. */
function standardEnvironment(github) {
  const named = Object.entries(github).filter(([name, value]) => typeof value === "string" && name !== "token");
  return {
    ...Object.fromEntries(named.map(([name, value]) => [`GITHUB_${name.toUpperCase()}`, value])),
    GITHUB_ACTIONS: "true",
    CI: "true",
    RUNNER_OS: runner.os,
    RUNNER_ARCH: runner.arch,
    RUNNER_TEMP: runner.temp,
  };
}

function runScript(step, number, contexts, environment, result) {
  if (step.shell !== "bash") throw new Error(`no shell ${step.shell} here`);
  const files = runnerFiles(number);
  const script = join(asked.temp, `step${number}.sh`);
  writeFileSync(script, interpolate(step.run, contexts));
  const mapped = Object.entries(step.env ?? {}).map(([name, value]) => [name, interpolate(value, contexts)]);
  const { GITHUB_TOKEN: _, ...inherited } = environment;
  const done = spawnSync("bash", ["--noprofile", "--norc", "-e", "-o", "pipefail", script], {
    cwd: asked.workspace,
    env: { ...inherited, ...standardEnvironment(contexts.github), ...files, ...Object.fromEntries(mapped) },
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  result.script = readFileSync(script, "utf8");
  result.log = done.stdout + done.stderr;
  result.code = done.status;
  result.commands = readCommands(done.stdout);
  result.outputs = readEntries(files.GITHUB_OUTPUT);
  result.exported = readEntries(files.GITHUB_ENV);
  result.path = readFileSync(files.GITHUB_PATH, "utf8");
  result.summary = readFileSync(files.GITHUB_STEP_SUMMARY, "utf8");
  return done.status === 0 ? "success" : "failure";
}

function runStep(step, condition, number, contexts, status, environment) {
  const result = { name: interpolate(step.name ?? step.uses ?? step.run, contexts), outputs: {}, outcome: "skipped" };
  if (!truthy(evaluate(condition, contexts, status))) return result;
  if (step.uses) {
    const given = Object.entries(step.with ?? {}).map(([name, value]) => [name, interpolate(value, contexts)]);
    return { ...result, outcome: "success", uses: step.uses, with: Object.fromEntries(given) };
  }
  result.outcome = runScript(step, number, contexts, environment, result);
  return result;
}

function main() {
  const { parsed, plain } = readAction(asked.folder);
  const github = { ...githubContext(asked.event, asked.payload, asked.environment), action_path: asked.folder };
  github.workspace = asked.workspace;
  github.event_path = join(asked.temp, "event.json");
  writeFileSync(github.event_path, JSON.stringify(asked.payload));
  const environment = asked.environment;
  const contexts = { github, runner, env: environment, job: {}, strategy: {}, matrix: {}, steps: {} };
  contexts.inputs = readInputs(plain.inputs ?? {}, asked.inputs, contexts);
  const tokens = parsed.value.assertMapping("action").find("runs").assertMapping("runs").find("steps");
  const results = [];
  let status = "success";
  plain.runs.steps.forEach((step, number) => {
    const token = tokens.assertSequence("steps").get(number).assertMapping("step").find("if");
    const condition = token ? convertToIfCondition(parsed.context, token).expression : "success()";
    const result = runStep(step, condition, number, contexts, status, environment);
    if (result.outcome === "failure") status = "failure";
    contexts.steps[step.id ?? `__${number}`] = { outputs: result.outputs, outcome: result.outcome };
    results.push({ id: step.id ?? null, ...result });
  });
  const outputs = Object.entries(plain.outputs ?? {}).map(([name, one]) => [name, interpolate(one.value, contexts)]);
  return { status, outputs: Object.fromEntries(outputs), steps: results };
}

console.log(JSON.stringify(main()));
