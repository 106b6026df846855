import { assertEquals } from "@std/assert/equals.js";
import { assertNotEquals } from "@std/assert/not_equals.js";
import fc from "fast-check";
import {
  type ConsentDecision,
  consentOrder,
  type ConsentPolicy,
  type ConsentStatement,
  consentStatement,
  type Disclosed,
  disclosureName,
  disclosureNamed,
  isGranted,
  isMadeOf,
  normaliseSpeech,
  standingConsent,
} from "../../supabase/functions/_shared/calls/consent.ts";
import { wordsIn } from "../../supabase/functions/_shared/calls/words/mod.ts";
import { cases } from "../support/cases.ts";
import { anyText } from "../support/any_text.ts";

const told = (policy: ConsentPolicy): Disclosed => ({
  policy,
  key: "3",
  language: "en-US",
  words: "0".repeat(32),
});
const optOut = told("opt_out");
const optIn = told("opt_in");
const english = wordsIn("en-US")!;

const UTTERANCES: readonly (readonly [heard: string, meant: ConsentStatement])[] = [
  // Refusals, in the words of the disclosure and in others.
  ["no recording", "declined"],
  ["No recording, please.", "declined"],
  ["No recordings!", "declined"],
  ["no", "declined"],
  ["No.", "declined"],
  ["no thank you", "declined"],
  ["nope", "declined"],
  ["don't record", "declined"],
  ["Don’t record", "declined"],
  ["Don‘t record me", "declined"],
  ["Donʼt record me", "declined"],
  ["don`t record", "declined"],
  ["dont record this", "declined"],
  ["do not record me", "declined"],
  ["Please do not record me, thanks", "declined"],
  ["you can't record", "declined"],
  ["You can’t record this call", "declined"],
  ["you cant record me", "declined"],
  ["you cannot record this", "declined"],
  ["you may not record", "declined"],
  ["I don't want to be recorded", "declined"],
  ["I do not want to be recorded", "declined"],
  ["I don't want recording", "declined"],
  ["I'd like not to be recorded", "declined"],
  ["I'd prefer to go on without being recorded", "declined"],
  ["without recording, sales please", "declined"],
  ["sales, without recording", "declined"],
  ["stop recording", "declined"],
  ["STOP RECORDING ME", "declined"],
  ["never record my calls", "declined"],
  ["opt out", "declined"],
  ["I want to opt out", "declined"],
  ["I'm opting out", "declined"],
  ["I do not consent", "declined"],
  ["I don't consent to this", "declined"],
  ["I don't agree", "declined"],
  ["I do not agree", "declined"],
  ["I disagree", "declined"],
  ["I decline", "declined"],
  ["I refuse", "declined"],
  ["I object to recording", "declined"],
  ["I'd rather not", "declined"],
  ["yes, record... no, actually don't record", "declined"],
  ["I agree to everything except I don't want to be recorded", "declined"],

  ["negative", "declined"],
  ["Turn it off", "declined"],
  ["turn off the recording, please", "declined"],
  ["Keep this private.", "declined"],
  ["off the record", "declined"],
  ["no way", "declined"],
  ["Non.", "declined"],
  ["Nein!", "declined"],

  ["No, no, no.", "declined"],
  ["no please", "declined"],
  ["Oh no", "declined"],
  ["no, I don't", "declined"],
  ["Please don't", "declined"],
  ["I do not", "declined"],
  ["that's fine... no, stop", "declined"],
  ["yes no", "declined"],
  ["not okay", "declined"],

  // Agreements, in words that can be nothing else.
  ["yes, record", "granted"],
  ["Yes, you can record", "granted"],
  ["you may record this call", "granted"],
  ["please record the call", "granted"],
  ["record this call", "granted"],
  ["record me", "granted"],
  ["I agree", "granted"],
  ["Yes, I agree, sales please", "granted"],
  ["I consent", "granted"],
  ["opt in", "granted"],
  ["I'd like to opt in", "granted"],
  ["recording is fine", "granted"],
  ["it's okay to record", "granted"],
  ["three", "granted"],
  ["3", "granted"],
  ["３", "granted"],
  ["Press 3.", "granted"],
  ["number three please", "granted"],

  // About recording, and not certainly a yes.
  ["record? no", "unclear"],
  ["I don't mind if you record", "unclear"],
  ["I do not mind recording", "unclear"],
  ["record", "unclear"],
  ["recording", "unclear"],
  ["recording studio support", "unclear"],
  ["Are you recording this?", "unclear"],
  ["Do you record the call?", "unclear"],
  ["did you record me", "unclear"],
  ["you mustn't record me", "unclear"],
  ["You shouldn’t record this call", "unclear"],
  ["I wouldn't want you to record me", "unclear"],
  ["nobody may record this call", "unclear"],
  ["what happens if I agree", "unclear"],
  ["Do I consent?", "unclear"],
  ["you can record if you must", "unclear"],
  ["no problem, you can record", "unclear"],
  ["you can record, not", "unclear"],
  ["why would you record me", "unclear"],
  ["is it okay to record", "unclear"],
  ["how do I opt in", "unclear"],
  ["consent", "unclear"],
  ["Yes, record?", "unclear"],
  ["can you record this call", "unclear"],
  ["I agree nicht", "unclear"],
  ["I agree to disagree about recording", "declined"],
  ["press 3 to record? never", "unclear"],

  // All that was said, and the menu is heard again before anybody is dialled.
  ["yes", "granted"],
  ["Yes!", "granted"],
  ["yes please", "granted"],
  ["sure", "granted"],
  ["okay", "granted"],
  ["That’s fine.", "granted"],
  ["I do", "granted"],
  ["yes?", undefined],
  ["yes but", undefined],
  ["Yes... but don't record", "declined"],

  // About something else.
  ["sales", undefined],
  ["sales please", undefined],
  ["support", undefined],
  ["leave a message", undefined],
  ["yesterday I called about my invoice", undefined],
  ["note to sales", undefined],
  ["I know the number", undefined],
  ["yes sales", undefined],
  ["no sales, support", undefined],
  ["", undefined],
  ["?!", undefined],
];

for (const [heard, meant] of UTTERANCES) {
  Deno.test(`${JSON.stringify(heard)} is ${meant ?? "not about recording"}`, () => {
    assertEquals(consentStatement(heard, "en-US", optIn, ["sales"]), meant);
  });
}

const NEGATIONS = [
  "no",
  "not",
  "never",
  "none",
  "nobody",
  "nothing",
  "neither",
  "nor",
  "without",
  "stop",
  "cannot",
  "refuse",
  ...["do", "does", "did", "ca", "could", "wo", "would", "should", "must", "need", "is", "are"]
    .flatMap((verb) => [`${verb}n't`, `${verb}n’t`, `${verb}n‘t`, `${verb}n´t`, `${verb}nt`]),
];

Deno.test("nothing that holds a negation is ever an agreement", () => {
  const word = fc.constantFrom(
    ...english.grant,
    ...english.affirm,
    ...english.topic,
    ...english.filler,
    "sales",
    "please",
    "you",
    "i",
    "me",
  );
  const separator = fc.constantFrom(" ", ", ", ". ", "  ", "! ", " - ", "… ");
  const some = fc.array(word, { maxLength: 5 });
  fc.assert(
    fc.property(
      some,
      fc.constantFrom(...NEGATIONS),
      some,
      separator,
      fc.boolean(),
      (before, negation, after, between, loud) => {
        const text = [...before, negation, ...after].join(between);
        assertNotEquals(
          consentStatement(loud ? text.toUpperCase() : text, "en-US", optIn),
          "granted",
        );
      },
    ),
    { numRuns: cases(2000) },
  );
});

/** In other languages of ours: what refuses, agrees, does neither though it is about recording, and is about something else. */
const ELSEWHERE = {
  "fr-CA": {
    declined: [
      "Non.",
      "non merci",
      "Non, non!",
      "Sans enregistrement, s'il vous plaît.",
      "pas d’enregistrement",
      "N'enregistrez pas, merci.",
      "ne m'enregistrez pas",
      "Je ne veux pas être enregistrée.",
      "je refuse",
      "Je n'accepte pas",
      "j'accepte pas",
      "Je ne suis pas d'accord.",
      "pas d'accord",
      "Oui... non.",
      "Les ventes, sans enregistrement.",
      "je préfère que vous n'enregistriez pas l'appel, je refuse",
    ],
    granted: [
      "Oui.",
      "oui, j'accepte",
      "J'accepte.",
      "D'accord",
      "Je suis d'accord, merci.",
      "trois",
    ],
    unclear: ["Est-ce que vous enregistrez l'appel?", "l'enregistrement", "je consens si ventes"],
    nothing: ["oui?", "les ventes", "Oui, mais", "bonjour", "peut-être"],
    negations: ["non", "pas", "ne", "jamais", "sans", "aucun", "refuse", "rien", "n'accepte"],
    key: "trois",
  },
  "es-US": {
    declined: [
      "No.",
      "No, gracias.",
      "Sin grabación, por favor.",
      "no grabe",
      "No me graben.",
      "No quiero que me graben.",
      "no acepto",
      "no estoy de acuerdo",
      "No autorizo la grabación",
      "Me opongo.",
      "Sí... no.",
      "Ventas, sin grabación.",
      "claro que no",
    ],
    granted: [
      "Sí.",
      "Sí, acepto.",
      "Acepto la grabación.",
      "Claro que sí",
      "Estoy de acuerdo.",
      "tres",
    ],
    unclear: ["¿Graban la llamada?", "la grabación", "acepto si ventas"],
    nothing: ["¿sí?", "ventas", "si", "sí pero", "bueno", "tal vez"],
    negations: ["no", "sin", "nunca", "jamás", "ninguna", "rechazo", "tampoco", "nada"],
    key: "tres",
  },
} as const;

for (const [language, { key, negations, ...meanings }] of Object.entries(ELSEWHERE)) {
  const asked: Disclosed = { ...optIn, language };
  const words = wordsIn(language)!;

  Deno.test(`in ${language} callers refuse, agree, and do neither, in its own words`, () => {
    for (const [meant, utterances] of Object.entries(meanings)) {
      for (const heard of utterances) {
        const statement = consentStatement(heard, language, asked, ["ventes", "ventas"]);
        assertEquals(statement ?? "nothing", meant, heard);
      }
    }
    assertEquals(consentStatement(key, language, { ...asked, policy: "opt_out" }), "declined");
  });

  Deno.test(`in ${language} nothing that holds a negation, or a word which is not known, is an agreement`, () => {
    const known = fc.constantFrom(...words.grant, ...words.affirm, ...words.filler, ...words.topic);
    const other = fc.oneof(fc.constantFrom(...negations), fc.lorem({ maxCount: 1 }));
    fc.assert(
      fc.property(fc.array(known), other, fc.array(known), (before, word, after) => {
        const text = [...before, word, ...after].join(" ");
        assertNotEquals(consentStatement(text, language, asked), "granted", text);
      }),
      { numRuns: cases(2000) },
    );
  });

  Deno.test(`in ${language} no two of our lists of words say different things by the same phrase`, () => {
    const { decline, declineAlone, grant, affirm, filler, wish } = words;
    for (const phrase of [...grant, ...affirm, ...filler, ...wish]) {
      assertEquals([...decline, ...declineAlone].includes(phrase), false, phrase);
    }
    for (const phrase of [...filler, ...wish]) {
      assertEquals(consentStatement(phrase, language, asked), undefined, phrase);
    }
    for (const phrase of grant) {
      assertEquals(consentStatement(phrase, language, asked), "granted", phrase);
    }
    for (const phrase of [...decline, ...declineAlone]) {
      assertEquals(consentStatement(phrase, language, asked), "declined", phrase);
    }
    for (const policy of ["opt_out", "opt_in"] as const) {
      assertEquals(words.binding[policy]("7").includes("7"), true);
    }
  });
}

Deno.test("nothing that a recogniser could hear is read with an error", () => {
  fc.assert(fc.property(anyText({ maxLength: 300 }), (text) => {
    assertNotEquals(consentStatement(text, "en-US", optIn), null);
  }));
});

Deno.test("nothing that holds a word which is not known is ever an agreement", () => {
  const known = fc.constantFrom(
    ...english.grant,
    ...english.affirm,
    ...english.filler,
    "three",
    "3",
  );
  const all = new Set(
    [...english.grant, ...english.affirm, ...english.filler, "three", "3"].flatMap(
      (phrase) => phrase.split(" "),
    ),
  );
  const unknown = fc.oneof(fc.string({ unit: "grapheme" }), fc.string(), fc.lorem({ maxCount: 1 }))
    .map(normaliseSpeech)
    .filter((words) => words !== "" && words.split(" ").some((word) => !all.has(word)));
  fc.assert(
    fc.property(fc.array(known), unknown, fc.array(known), (before, word, after) => {
      const text = [...before, word, ...after].join(" ");
      assertNotEquals(consentStatement(text, "en-US", optIn), "granted");
      assertNotEquals(consentStatement(text, "en-US", optOut), "granted");
    }),
    { numRuns: cases(3000) },
  );
});

Deno.test("without a disclosure, or in an unknown language, nothing is consent", () => {
  for (const heard of ["I agree", "yes, record", "3", "three"]) {
    assertNotEquals(consentStatement(heard, "en-US", undefined), "granted");
    const klingon = { ...optIn, language: "tlh" };
    assertNotEquals(consentStatement(heard, "en-US", klingon), "granted");
  }
});

for (const heard of ["three", "3", "press 3", "number three", "Press three, please!", "３"]) {
  Deno.test(`"${heard}" refuses where key 3 was offered for refusing`, () => {
    assertEquals(consentStatement(heard, "en-US", optOut), "declined");
  });
}

Deno.test("what a text is made of is found in whatever order its phrases overlap", () => {
  assertEquals(isMadeOf("a b c", ["a b", "b c", "a", "c"]), true);
  assertEquals(isMadeOf("a b c", ["a b", "b c"]), false);
  assertEquals(isMadeOf("ab", ["a", "b"]), false);
  assertEquals(isMadeOf("", ["a"]), false);
});

Deno.test("what was heard comes back from its name, and from nothing else", () => {
  for (const disclosed of [optOut, optIn, { ...optIn, language: "fr-CA", key: "8" }]) {
    assertEquals(disclosureNamed(disclosureName(disclosed)), disclosed);
  }
  const name = disclosureName(optIn);
  for (
    const other of [
      "",
      name.toUpperCase(),
      `${name}0`,
      name.slice(1),
      name.replace("opt_in", "constructor"),
      name.replace("-3-", "-33-"),
      `${name}\n`,
    ]
  ) assertEquals(disclosureNamed(other), undefined, other);
});

Deno.test("speech is compared in lower case, without punctuation, with one kind of apostrophe", () => {
  assertEquals(normaliseSpeech("  DON’T — record, me!  (please) "), "don't record me please");
});

// --- which decision stands ----------------------------------------------------------------------------------

const decision: fc.Arbitrary<ConsentDecision> = fc.record({
  basis: fc.constantFrom("stayed" as const, "unsure" as const, "yes" as const, "no" as const),
  turn: fc.integer({ min: 0, max: 9999 }),
});
const maybe = fc.option(decision, { nil: undefined });
/** What the database keeps of a decision: what it says, and its rank. */
const kept = (d: ConsentDecision | undefined) => d && [isGranted(d), consentOrder(d)];

Deno.test("the decision that stands does not depend on the order of two", () => {
  fc.assert(fc.property(maybe, maybe, (a, b) => {
    assertEquals(kept(standingConsent(a, b)), kept(standingConsent(b, a)));
  }));
});

Deno.test("the decision that stands does not depend on how three are grouped", () => {
  fc.assert(fc.property(maybe, maybe, maybe, (a, b, c) => {
    assertEquals(
      kept(standingConsent(standingConsent(a, b), c)),
      kept(standingConsent(a, standingConsent(b, c))),
    );
  }));
});

Deno.test("a decision that is known twice stands as if known once", () => {
  fc.assert(fc.property(maybe, (a) => {
    assertEquals(kept(standingConsent(a, a)), kept(a));
  }));
});

Deno.test("two decisions of one rank never differ in what they say", () => {
  fc.assert(
    fc.property(decision, decision, (a, b) => {
      if (consentOrder(a) === consentOrder(b)) assertEquals(isGranted(a), isGranted(b));
    }),
    { numRuns: cases(1000) },
  );
});

Deno.test("every rank is at least 1 and fits the database's smallint", () => {
  fc.assert(fc.property(decision, (a) => {
    const rank = consentOrder(a);
    assertEquals(rank >= 1 && rank <= 32767, true);
  }));
});

Deno.test("a no at the same turn outranks a yes", () => {
  const no: ConsentDecision = { basis: "no", turn: 3 };
  assertEquals(standingConsent({ basis: "yes", turn: 3 }, no), no);
});

Deno.test("a later yes outranks an earlier no", () => {
  const yes: ConsentDecision = { basis: "yes", turn: 4 };
  assertEquals(standingConsent({ basis: "no", turn: 3 }, yes), yes);
});

Deno.test("staying on the line never outranks what was said", () => {
  const no: ConsentDecision = { basis: "no", turn: 0 };
  assertEquals(standingConsent(no, { basis: "stayed", turn: 9 }), no);
});

Deno.test("what was not understood takes back staying on the line, and nothing that was said", () => {
  const unsure: ConsentDecision = { basis: "unsure", turn: 2 };
  assertEquals(standingConsent({ basis: "stayed", turn: 9 }, unsure), unsure);
  for (const basis of ["yes", "no"] as const) {
    const said: ConsentDecision = { basis, turn: 0 };
    assertEquals(standingConsent(said, unsure), said);
  }
});
