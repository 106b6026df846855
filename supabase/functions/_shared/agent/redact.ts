// Card and identity numbers must not be stored, sent to a model or spoken. Pure.

/** Stand where a number was. */
export const REDACTED = { card: "[card number]", identity: "[identity number]" } as const;

const DIGIT_WORDS: Readonly<Record<string, string>> = {
  ...{ zero: "0", oh: "0", one: "1", two: "2", three: "3", four: "4", five: "5", six: "6" },
  ...{ seven: "7", eight: "8", nine: "9" },
  ...{ zéro: "0", un: "1", deux: "2", trois: "3", quatre: "4", cinq: "5", sept: "7", huit: "8" },
  ...{ neuf: "9", cero: "0", uno: "1", dos: "2", tres: "3", cuatro: "4", cinco: "5", seis: "6" },
  ...{ siete: "7", ocho: "8", nueve: "9" },
};

const DIGIT = `[0-9]|\\b(?:${Object.keys(DIGIT_WORDS).join("|")})(?![\\p{L}])`;
/** Digits, or words for them, with at most two separators between one and the next. */
const digits = (more: number) =>
  new RegExp(`(?:${DIGIT})(?:[\\s.,\\-–]{0,2}(?:${DIGIT})){${more},}`, "giu");
const RUN = digits(8);
const SHORT_RUN = digits(2);

/** The text with card and identity numbers replaced, whether written or said digit by digit. */
export function redact(text: string): string {
  return text.replace(RUN, (run) => {
    const kind = kindOf(digitsIn(run));
    return kind === undefined ? run : REDACTED[kind];
  });
}

/** The text with digits that are spelt out, three or more in a row, as one number. */
export function withoutSpelling(text: string): string {
  return text.replace(SHORT_RUN, (run) => /\p{L}/u.test(run) ? digitsIn(run) : run);
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

function digitsIn(run: string): string {
  return (run.match(/[0-9]|[\p{L}]+/gu) ?? [])
    .map((each) => DIGIT_WORDS[each.toLowerCase()] ?? each).join("");
}
