import { SaxesParser } from "saxes";

/** TwiML with each element on a line of its own; as it came where it is not well-formed. */
export function prettyTwiml(xml: string): string {
  const lines: string[] = [];
  let depth = 0;
  /** The element that was opened last, while it may still end on its own line. */
  let open: { line: string; text: string } | undefined;
  const flush = () => {
    if (open === undefined) return;
    lines.push(`${open.line}>`);
    if (open.text.trim() !== "") lines.push("  ".repeat(depth) + escapeText(open.text.trim()));
    open = undefined;
  };
  const parser = new SaxesParser();
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name, attributes }) => {
    flush();
    const shown = Object.entries(attributes)
      .map(([key, value]) => ` ${key}="${escapeText(String(value)).replaceAll('"', "&quot;")}"`);
    open = { line: `${"  ".repeat(depth++)}<${name}${shown.join("")}`, text: "" };
  });
  parser.on("text", (text) => {
    if (open !== undefined) open.text += text;
    else if (text.trim() !== "") lines.push("  ".repeat(depth) + escapeText(text.trim()));
  });
  parser.on("closetag", ({ name }) => {
    depth--;
    if (open === undefined) lines.push(`${"  ".repeat(depth)}</${name}>`);
    else lines.push(open.line + (open.text ? `>${escapeText(open.text)}</${name}>` : "/>"));
    open = undefined;
  });
  try {
    parser.write(xml).close();
  } catch {
    return xml;
  }
  return lines.join("\n");
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
