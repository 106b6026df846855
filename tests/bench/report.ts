import { digits } from "./stats.ts";

/** One line of the table. */
export interface Row {
  readonly measure: string;
  readonly unit: string;
  readonly ours: number;
  /** What it is held against, taken in the same run; absent: the aim stands by itself. */
  readonly rival?: { readonly name: string; readonly figure: number } | undefined;
  /** What the aim is about, where that is not `ours`: a ratio or a difference. */
  readonly compared?: { readonly as: "ratio" | "difference"; readonly figure: number } | undefined;
  /** Absent: stated, not aimed at. */
  readonly aim?: { readonly most: number } | { readonly least: number } | undefined;
  /** What one has to know to read it. */
  readonly note?: string | undefined;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly os: string;
  readonly deno: string;
  readonly postgres: string;
  readonly pgbench: string;
  /** Tasks that ran or waited to run, on average over the minute before. */
  readonly loadBefore: number;
}

export function isMet({ aim, ours, compared }: Row): boolean | undefined {
  if (aim === undefined) return undefined;
  const figure = compared?.figure ?? ours;
  return "most" in aim ? figure <= aim.most : figure >= aim.least;
}

/** Ours held against a rival's figure. */
export function ratio(ours: number, name: string, figure: number) {
  return {
    ours,
    rival: { name, figure },
    compared: { as: "ratio", figure: ours / figure },
  } as const;
}

/** What ours takes beyond a rival's figure. */
export function difference(ours: number, name: string, figure: number) {
  return {
    ours,
    rival: { name, figure },
    compared: { as: "difference", figure: ours - figure },
  } as const;
}

/** The table, as Markdown. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const { rival, compared, aim, unit } = row;
    const met = isMet(row);
    return [
      row.measure,
      `${digits(row.ours)} ${unit}`.trim(),
      rival === undefined ? "" : `${rival.name}: ${digits(rival.figure)} ${unit}`.trim(),
      compared === undefined
        ? ""
        : compared.as === "ratio"
        ? `x ${digits(compared.figure)}`
        : `${compared.figure < 0 ? "" : "+"}${digits(compared.figure)} ${unit}`,
      aim === undefined ? "" : "most" in aim ? `<= ${aim.most}` : `>= ${aim.least}`,
      met === undefined ? "stated" : met ? "yes" : "no",
      row.note ?? "",
    ];
  });
  const head = ["measure", "ours", "rival in the same run", "compared", "aim", "met", "note"];
  const widths = head.map((title, i) =>
    Math.max(title.length, ...cells.map((line) => line[i]!.length))
  );
  const line = (texts: readonly string[]) =>
    `| ${
      texts.map((text, i) => text.padEnd(i === head.length - 1 ? 0 : widths[i]!)).join(" | ")
    } |`;
  return [line(head), line(head.map(() => "---")), ...cells.map(line)].join("\n");
}
