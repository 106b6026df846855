import { edgesOf, type Flow, type FlowNode, operatorListens, promptIn } from "./language.ts";

// A flow as a drawing in Mermaid's text form. Pure. Source of the form: https://mermaid.js.org/syntax/flowchart.html

/** Characters of a prompt that a drawing shows. */
const SHOWN = 60;

/** By what a node is enclosed, which is its shape. */
const SHAPES: Partial<Record<FlowNode["type"], readonly [open: string, close: string]>> = {
  menu: ["{{", "}}"],
  hours: ["{", "}"],
  match: ["{", "}"],
  ring: ["([", "])"],
  queue: ["([", "])"],
  voicemail: ["[/", "/]"],
  end: ["((", "))"],
};

/** One line a node and an edge, in the order of the document; the text holds nothing that Mermaid would act upon. */
export function drawFlow(flow: Flow): string {
  const lines = ["flowchart TD"];
  const listens = operatorListens(flow);
  for (const [id, node] of Object.entries(flow.nodes)) {
    const [open, close] = SHAPES[node.type] ?? ["[", "]"];
    const label = [`${id}: ${node.type}`, ...detailsOf(flow, node)].map(escaped).join("<br>");
    lines.push(`  ${nameOf(id)}${open}"${label}"${close}`);
  }
  if (Object.hasOwn(flow.nodes, flow.start)) {
    lines.push(`  start(("start")) --> ${nameOf(flow.start)}`);
  }
  for (const [id, node] of Object.entries(flow.nodes)) {
    for (const { outcome, to } of edgesOf(node)) {
      lines.push(edge(id, labelOf(node, outcome), to));
    }
    if (listens.has(id) && flow.operator !== undefined) lines.push(edge(id, "0", flow.operator));
  }
  return `${lines.join("\n")}\n`;
}

function edge(from: string, label: string, to: string): string {
  return `  ${nameOf(from)} -->|"${escaped(label)}"| ${nameOf(to)}`;
}

/** `end` alone would end a subgraph. */
function nameOf(id: string): string {
  return `n_${id}`;
}

/** What a node does, beside its type. */
function detailsOf(flow: Flow, node: FlowNode): string[] {
  const language = flow.languages[0]!;
  const prompt = "prompt" in node && node.prompt !== undefined
    ? promptIn(flow, node.prompt, language)
    : undefined;
  const text = typeof prompt === "string" ? prompt : prompt && (prompt.text ?? "(audio)");
  const details = [
    node.type === "hours" && node.calendar,
    node.type === "language" && node.language,
    node.type === "consent" && node.policy,
    node.type === "flow" && node.name,
    node.type === "match" && `by ${node.on}`,
    node.type === "ring" && (node.group ?? node.to),
    text !== undefined && (text.length > SHOWN ? `${text.slice(0, SHOWN - 3)}...` : text),
  ];
  return details.filter((each) => typeof each === "string");
}

/** What happens on an edge, as its reader would say it. */
function labelOf(node: FlowNode, outcome: string): string {
  const [field, at = ""] = outcome.split(".");
  if (node.type === "menu" && field === "options") {
    const { key, words } = node.options[Number(at)]!;
    const spoken = Array.isArray(words) ? words : Object.values(words ?? {}).flat();
    return key ?? spoken[0] ?? "";
  }
  if (node.type === "match" && field === "cases") {
    const values = node.cases[Number(at)]!.in;
    return values.length > 1 ? `${values[0]} and ${values.length - 1} more` : values[0]!;
  }
  return field === "departments" ? at : outcome;
}

function escaped(text: string): string {
  return text.replace(/\s+/g, " ").replace(
    /[^\p{L}\p{N} .,:;'!?()+*-]/gu,
    (character) => `#${character.codePointAt(0)};`,
  );
}
