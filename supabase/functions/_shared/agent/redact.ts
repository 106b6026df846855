// Card and identity numbers must not be stored, sent to a model or spoken. Pure.

/** Stand where a number was. */
export const REDACTED = { card: "[card number]", identity: "[identity number]" } as const;

const DIGIT_WORDS: Readonly<Record<string, string>> = {
  ...{ zero: "0", oh: "0", one: "1", two: "2", three: "3", four: "4", five: "5", six: "6" },
  ...{ seven: "7", eight: "8", nine: "9" },
  ...{ zéro: "0", un: "1", une: "1", deux: "2", trois: "3", quatre: "4", cinq: "5", sept: "7" },
  ...{ huit: "8", neuf: "9", cero: "0", uno: "1", dos: "2", tres: "3", cuatro: "4", cinco: "5" },
  ...{ seis: "6", siete: "7", ocho: "8", nueve: "9" },
};

/** What stands for two digits, and for zeros. */
const PAIR_WORDS: Readonly<Record<string, string>> = {
  ...{ ten: "10", eleven: "11", twelve: "12", thirteen: "13", fourteen: "14", fifteen: "15" },
  ...{ sixteen: "16", seventeen: "17", eighteen: "18", nineteen: "19" },
  ...{ onze: "11", douze: "12", treize: "13", quatorze: "14", quinze: "15", seize: "16" },
  ...{ once: "11", doce: "12", trece: "13", catorce: "14", quince: "15", dieciséis: "16" },
  ...{ diecisiete: "17", dieciocho: "18", diecinueve: "19", diez: "10", veintiuno: "21" },
  ...{ veintidós: "22", veintitrés: "23", veinticuatro: "24", veinticinco: "25" },
  ...{ veintiséis: "26", veintisiete: "27", veintiocho: "28", veintinueve: "29" },
  ...{ hundred: "00", thousand: "000", cent: "00", mille: "000" },
};

/** What a digit may be added to; the French 60 and 80 also take 10 to 19. */
const TENS: Readonly<Record<string, number>> = {
  ...{ twenty: 20, thirty: 30, forty: 40, fourty: 40, fifty: 50, sixty: 60, seventy: 70 },
  ...{ eighty: 80, ninety: 90, dix: 10, vingt: 20, vingts: 20, trente: 30, quarante: 40 },
  ...{ cinquante: 50, soixante: 60, septante: 70, huitante: 80, octante: 80, nonante: 90 },
  ...{ veinte: 20, treinta: 30, cuarenta: 40, cincuenta: 50, sesenta: 60, setenta: 70 },
  ...{ ochenta: 80, noventa: 90 },
};

const TIMES: Readonly<Record<string, number>> = { double: 2, triple: 3 };

const either = (...words: Readonly<Record<string, unknown>>[]) =>
  `[0-9]|(?<![\\p{L}])(?:${words.flatMap(Object.keys).join("|")})(?![\\p{L}])`;
/** `more` or more of them after the first, with at most two separators between one and the next. */
const run = (one: string, more: number, between = "[\\s.,\\-–]{0,2}") =>
  `(?:${one})(?:${between}(?:${one})){${more},}`;

const DIGIT = either(DIGIT_WORDS);
const SHORT_RUN = new RegExp(run(DIGIT, 2), "giu");
const NUMBER = run(
  either(DIGIT_WORDS, PAIR_WORDS, TENS, TIMES),
  0,
  "(?:[\\s.,\\-–]{0,2}|\\s(?:et|y)\\s)",
);
const NUMBERS = new RegExp(NUMBER, "giu");
/** What one says before a part of a number, or after it. */
const FEW_WORDS = "(?:[\\p{L}'’]+[\\s.,:;!?-]+){0,3}";
const LEADING = new RegExp(`^[\\s.,(]*(?:\\(keypad\\) )?${FEW_WORDS}?(${NUMBER})`, "iu");
const TRAILING = new RegExp(`(${NUMBER})[\\s.,!?-]*(?:[\\p{L}'’]+[\\s.,!?-]*){0,3}$`, "iu");

/** An identity number is not told by hundreds. */
const AMOUNT = /hundred|thousand|cent|mille/iu;

/** As far as an edge is looked for, in characters. */
const EDGE = 200;

/** The text with card and identity numbers replaced, whether written or said, by digits or by tens. */
export function redact(text: string): string {
  return text.replace(NUMBERS, (found) => {
    const kind = kindOf(digitsIn(found));
    const isAmount = kind === "identity" && AMOUNT.test(found);
    return kind === undefined || isAmount ? found : REDACTED[kind];
  });
}

/** The text without the parts of a number that must not be kept: stretches of two digits or more that stand in it. */
export function withoutDigits(
  text: string,
  digits: string,
  kind: keyof typeof REDACTED,
): string {
  return text.replace(NUMBERS, (found) => {
    const part = digitsIn(found);
    return part.length > 1 && digits.includes(part) ? REDACTED[kind] : found;
  });
}

/** The text with digits that are spelt out, three or more in a row, as one number. */
export function withoutSpelling(text: string): string {
  return text.replace(SHORT_RUN, (found) => /\p{L}/u.test(found) ? digitsIn(found) : found);
}

/** A stretch of digits as it was said. */
export interface Digits {
  readonly said: string;
  readonly digits: string;
}

/** The digits that a text begins and ends with, but for a few words: they may be parts of one number. */
export function edgesOf(text: string): { readonly first?: Digits; readonly last?: Digits } {
  const first = stretch(LEADING.exec(text.slice(0, EDGE))?.[1]);
  const last = stretch(TRAILING.exec(text.slice(-EDGE))?.[1]);
  return { ...(first && { first }), ...(last && { last }) };
}

/** One digit is no part of a number. */
function stretch(said: string | undefined): Digits | undefined {
  const digits = said === undefined ? "" : digitsIn(said);
  return digits.length < 2 ? undefined : { said: said!, digits };
}

/** The kind of number that must not be kept; `undefined`: neither. */
export function kindOf(digits: string): keyof typeof REDACTED | undefined {
  if (digits.length >= 13 && digits.length <= 19 && isLuhn(digits)) return "card";
  // A card's number within longer digits, as when a word like "one" stands before it, or the expiry follows it.
  for (const length of [16, 15, 14, 13]) {
    for (let from = 0; from + length < digits.length + (from && 1); from++) {
      const part = digits.slice(from, from + length);
      if ((from === 0 || length > 14) && /^[3-6]/.test(part) && isLuhn(part)) return "card";
    }
  }
  // A social security or insurance number. Telephone numbers here have ten digits or more.
  return digits.length === 9 ? "identity" : undefined;
}

/** Source: ISO/IEC 7812-1, annex B. */
function isLuhn(digits: string): boolean {
  let sum = 0;
  [...digits].reverse().forEach((digit, at) => {
    const value = Number(digit) * (at % 2 === 1 ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  });
  return sum % 10 === 0;
}

/** "forty-one eleven" is 4111, "quatre-vingt-douze" 92, "double two" 22. */
function digitsIn(found: string): string {
  const words = found.toLowerCase().match(/[0-9]|\p{L}+/gu) ?? [];
  let digits = "";
  /** What the next number is added to. */
  let tens = 0;
  let times = 1;
  const flush = () => {
    if (tens > 0) digits += tens;
    tens = 0;
  };
  for (const word of words) {
    const digit = DIGIT_WORDS[word] ?? (/^[0-9]$/.test(word) ? word : undefined);
    const pair = PAIR_WORDS[word];
    if (word === "vingt" || word === "vingts") {
      const isEighty = tens === 0 && digits.endsWith("4") && times === 1;
      if (isEighty) digits = digits.slice(0, -1);
      flush();
      tens = isEighty ? 80 : 20;
    } else if (word === "dix" && (tens === 60 || tens === 80)) tens += 10;
    else if (TENS[word] !== undefined) {
      flush();
      tens = TENS[word];
    } else if (TIMES[word] !== undefined) {
      flush();
      times = TIMES[word];
    } else if (pair !== undefined && (tens === 60 || tens === 80) && /^1\d$/.test(pair)) {
      digits += tens + Number(pair);
      tens = 0;
    } else if (digit !== undefined && digit !== "0" && tens > 0 && !/^[0-9]$/.test(word)) {
      digits += tens + Number(digit);
      tens = 0;
    } else if (pair !== undefined || digit !== undefined) {
      flush();
      digits += (pair ?? digit!).repeat(times);
      times = 1;
    }
  }
  flush();
  return digits;
}
