import { parseXml, type XmlElement } from "../xml.ts";

/** TwiML with each element on a line of its own; as it came where it is not well-formed. */
export function prettyTwiml(xml: string): string {
  try {
    return linesOf(parseXml(xml), "").join("\n");
  } catch {
    return xml;
  }
}

function linesOf({ name, attributes, content }: XmlElement, indent: string): string[] {
  const shown = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${escapeText(value).replaceAll('"', "&quot;")}"`).join("");
  const open = `${indent}<${name}${shown}`;
  const within = content.filter((each) => typeof each !== "string" || each.trim() !== "");
  if (within.length === 0) return [`${open}/>`];
  const [only] = within;
  if (within.length === 1 && typeof only === "string") {
    return [`${open}>${escapeText(only)}</${name}>`];
  }
  return [
    `${open}>`,
    ...within.flatMap((each) =>
      typeof each === "string"
        ? [`${indent}  ${escapeText(each.trim())}`]
        : linesOf(each, `${indent}  `)
    ),
    `${indent}</${name}>`,
  ];
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
