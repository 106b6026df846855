import process from "node:process";
import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import * as fc from "fast-check";
import { isOneVisibleLine, plainText, unlinked } from "../../supabase/functions/_shared/text.ts";
import { cases } from "../support/cases.ts";

for (
  const [what, character] of [
    ["a line break", "\n"],
    ["a null byte", "\0"],
    ["a C1 control", "\u0085"],
    ["a line separator", "\u2028"],
    ["a paragraph separator", "\u2029"],
    ["the left-to-right mark", "\u200e"],
    ["the right-to-left mark", "\u200f"],
    ["the Arabic letter mark", "\u061c"],
    ...["\u202a", "\u202b", "\u202c", "\u202d", "\u202e"].map((c) => ["an embedding", c]),
    ...["\u2066", "\u2067", "\u2068", "\u2069"].map((c) => ["an isolate", c]),
    ["a space without width", "\u200b"],
    ["a non-joiner", "\u200c"],
    ["a joiner", "\u200d"],
    ["a word joiner", "\u2060"],
    ["an invisible separator", "\u2063"],
    ["a byte order mark", "\ufeff"],
    ["a soft hyphen", "\u00ad"],
    ["a grapheme joiner", "\u034f"],
    ["a Hangul filler", "\u3164"],
    ["an empty Braille pattern", "\u2800"],
    ["an annotation", "\ufff9"],
    ["a tag", "\u{e0041}"],
    ["a selector behind a letter", "\ufe0f"],
    ["a Mongolian selector", "\u180b"],
    ["a supplementary selector", "\u{e0100}"],
    ["a private character", "\ue000"],
    ["half a surrogate pair", "\ud800"],
  ] as [string, string][]
) {
  const code = character.codePointAt(0)!.toString(16);
  Deno.test(`a short text with ${what} (${code}) is refused, wherever it stands`, () => {
    for (const text of [character, `${character}Jane`, `Ja${character}ne`, `Jane${character}`]) {
      assertEquals(isOneVisibleLine(text), false, JSON.stringify(text));
    }
  });
}

Deno.test("names as people have them are one visible line; a selector may stand once, where it selects", () => {
  for (
    const text of [
      "José Núñez",
      "O'Brien",
      "张伟",
      "葛\u{e0100}城",
      "علي",
      "נועה",
      "Zoë ❤\ufe0f",
      "1\ufe0f⃣",
    ]
  ) assert(isOneVisibleLine(text), text);
  for (const text of ["❤\ufe0f\ufe0f", "葛\u{e0100}\u{e0101}"]) {
    assertEquals(isOneVisibleLine(text), false, text);
  }
});

Deno.test("a long text keeps its lines, and loses what turns it around or hides in it", () => {
  assertEquals(
    plainText(" a\r\nb\u2028c\td\0e \u202egpj.exe\u200f\u{e0041} "),
    "a\nb\nc\td e gpj.exe",
  );
});

/** What some mail program makes a link of: schemes, www., domains, e-mail addresses, shares. */
const LINKS = [
  /[\p{L}][\p{L}\d+.-]*:[^\s\]]/u,
  /www\.[^\s\].]/i,
  /[\p{L}\p{N}-]\.[\p{L}]/u,
  /\d\.\d+\.\d/,
  /[^\s[]@[^\s\]]/,
  /[\p{L}\p{N}-][\u3002\uff0e\uff61][\p{L}\p{N}]/u,
  /\\\\[^\s\]]/,
];
const isLinked = (text: string) => LINKS.some((link) => link.test(text));

Deno.test("no program makes a link of a stranger's text", () => {
  for (
    const [written, shown] of [
      ["http://evil.example/x?y=1", "http[:]//evil[.]example/x?y=1"],
      ["HTTPS://ÉVIL.com", "HTTPS[:]//ÉVIL[.]com"],
      ["see www.evil.com.", "see www[.]evil[.]com."],
      ["evil.com/login", "evil[.]com/login"],
      ["evil。com", "evil[。]com"],
      ["1.2.3.4/x", "1[.]2[.]3[.]4/x"],
      ["jane@example.com", "jane[@]example[.]com"],
      ["mailto:a@b.ca", "mailto[:]a[@]b[.]ca"],
      ["tel:+15875550100", "tel[:]+15875550100"],
      ["javascript:alert(1)", "javascript[:]alert(1)"],
      ["\\\\server\\share", "[\\\\]server\\share"],
      ["//evil.com", "//evil[.]com"],
      ["well.Then", "well[.]Then"],
    ] as const
  ) {
    assertEquals(isLinked(written), true, written);
    assertEquals(unlinked(written), shown);
    assertEquals(isLinked(shown), false, shown);
  }
  const piece = fc.constantFrom(
    ..."http,https,mailto,www,evil,com,ca,:,://,//,.,@,\\\\,1,23,-,+,/,?,[,], ,\n,é,。".split(","),
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 15 }),
      (pieces) => !isLinked(unlinked(pieces.join(""))),
    ),
    { numRuns: cases(20_000) },
  );
});

Deno.test("what is no link is shown as it was written", () => {
  for (
    const text of [
      "3.50 $, or 1.5 %",
      "at 12:30, as ever: all three...",
      "J. Smith",
      "Do you come to Red Deer? Yes. Fine.",
      "5 > 3 & so on",
      "2026-01-01 00:00 UTC",
      "+15877428885",
    ]
  ) assertEquals(unlinked(text), text);
});

Deno.test("the longest transcript of the dearest kind is shown without a pause", () => {
  const longest = "1.".repeat(30_000);
  const began = process.cpuUsage();
  assertEquals(unlinked(longest).length, longest.length + 2 * 29_999);
  const { user, system } = process.cpuUsage(began);
  // Processor time: a second where each dot has the whole text read again, else a hundredth of one. A worker has two in all.
  assert(user + system < 500_000);
});
