// Prometheus's text format 0.0.4, read strictly: whatever a scraper would stumble over throws.

export interface Family {
  readonly type: string;
  readonly samples: { readonly name: string; readonly labels: string; readonly value: number }[];
}

/** The families of an exposition by name; histogram series under the name of their family. */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("Cannot read an exposition without a last line feed");
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: [string, Family] | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP ([a-z_][a-z0-9_]*) \S/.exec(line);
    if (help !== null) continue;
    const type = /^# TYPE ([a-z_][a-z0-9_]*) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      if (families.has(type[1]!)) throw new Error(`Family twice: ${type[1]}`);
      current = [type[1]!, { type: type[2]!, samples: [] }];
      families.set(...current);
      continue;
    }
    const sample = /^([a-z_][a-z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (\S+)$/
      .exec(line);
    const [, name = "", labels = "", value = ""] = sample ?? [];
    const base = current?.[1].type === "histogram"
      ? name.replace(/_(bucket|sum|count)$/, "")
      : name;
    if (
      current === undefined || base !== current[0] || value === "" || Number.isNaN(Number(value))
    ) {
      throw new Error(`Cannot read this line: ${line}`);
    }
    if (current[1].type === "counter" && !name.endsWith("_total")) {
      throw new Error(`A counter is named ..._total: ${name}`);
    }
    if (seen.has(`${name}{${labels}}`)) throw new Error(`Series twice: ${name}{${labels}}`);
    seen.add(`${name}{${labels}}`);
    current[1].samples.push({ name, labels, value: Number(value) });
  }
  return families;
}
