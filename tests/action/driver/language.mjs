// GitHub's language service, which editors use, over workflows and actions: reads {"files": [...], "action": path of
// our action.yml} and writes {file: [{line, message}]}. No network, so the inputs of others' actions are written down.
import { readFileSync } from "node:fs";
import { validate } from "@actions/languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";
import { parse as parseYaml } from "yaml";

const OTHERS = {
  checkout: ["fetch-depth", "path", "persist-credentials", "ref"],
  "setup-node": ["node-version"],
  "setup-python": ["python-version"],
  "upload-artifact": ["if-no-files-found", "name", "path"],
  "download-artifact": ["name", "path"],
  "create-github-app-token": [
    "app-id",
    "private-key",
    "permission-checks",
    "permission-contents",
    "permission-pull-requests",
    "permission-statuses",
  ],
};

const asked = JSON.parse(readFileSync(0, "utf8"));
const ours = parseYaml(readFileSync(asked.action, "utf8"));

async function fetchActionMetadata({ owner, name }) {
  if (owner === "git-cto") return { name, description: name, inputs: ours.inputs, outputs: ours.outputs };
  const inputs = (OTHERS[name] ?? []).map((one) => [one, { description: one }]);
  return owner === "actions" && name in OTHERS
    ? { name, description: name, inputs: Object.fromEntries(inputs) }
    : undefined;
}

const found = {};
for (const file of asked.files) {
  const document = TextDocument.create(`file://${file}`, "yaml", 1, readFileSync(file, "utf8"));
  const said = await validate(document, { actionsMetadataProvider: { fetchActionMetadata } });
  found[file] = said.map(({ range, message }) => ({ line: range.start.line + 1, message }));
}
console.log(JSON.stringify(found));
