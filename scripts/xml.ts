import { SaxesParser } from "saxes";

/** An element of a document, as it was written. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Text and elements, in their order. */
  readonly content: readonly (string | XmlElement)[];
}

/**
 * Reads a document.
 *
 * @throws {Error} where it is not well-formed, and says where.
 */
export function parseXml(text: string): XmlElement {
  const document: { content: (string | XmlElement)[] } = { content: [] };
  const open = [document];
  const parser = new SaxesParser();
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name, attributes }) => {
    const element = { name, attributes, content: [] };
    open.at(-1)!.content.push(element);
    open.push(element);
  });
  parser.on("text", (text) => open.at(-1)!.content.push(text));
  parser.on("cdata", (text) => open.at(-1)!.content.push(text));
  parser.on("closetag", () => void open.pop());
  parser.write(text).close();
  return childrenOf(document)[0]!;
}

/** The elements directly in one. */
export function childrenOf({ content }: Pick<XmlElement, "content">): XmlElement[] {
  return content.filter((each) => typeof each !== "string");
}

/** The text directly in an element, without that of its elements. */
export function textOf({ content }: Pick<XmlElement, "content">): string {
  return content.filter((each) => typeof each === "string").join("");
}
