/**
 * What the editor knows of the language of flows: the fields of each type of step, in the order of the form. A `?` marks an
 * optional field. tests/unit/console_flow_test.ts holds it against the schema that `call-flows` checks by.
 */
export const TYPES = {
  say: ["prompt", "next"],
  consent: ["policy", "prompt?", "next"],
  menu: ["prompt", "options", "tries", "seconds?", "otherwise"],
  language: ["language", "next"],
  hours: ["calendar", "open", "closed", "unknown?"],
  match: ["on", "cases", "otherwise"],
  ring: ["group?", "to?", "prompt?", "mode?", "answered", "unanswered"],
  queue: [
    "group",
    "mode?",
    "prompt?",
    "max_seconds",
    "key?",
    "offer?",
    "answered",
    "gave_up",
    "full",
  ],
  callback: ["group", "next", "refused"],
  voicemail: ["mailbox?", "prompt", "mode?", "next"],
  agent: ["agent", "mode?", "departments", "message", "callback?", "done", "failed"],
  flow: ["name"],
  end: ["prompt?"],
};

/** What each type does: English, French. */
export const TYPE_WORDS = {
  say: ["Say something", "Dire quelque chose"],
  consent: ["Ask about recording", "Demander pour l’enregistrement"],
  menu: ["Menu of keys and words", "Menu de touches et de mots"],
  language: ["Go on in a language", "Continuer dans une langue"],
  hours: ["Open or closed?", "Ouvert ou fermé ?"],
  match: ["By who calls", "Selon qui appelle"],
  ring: ["Ring people", "Faire sonner des personnes"],
  queue: ["Hold in a queue", "Mettre en attente"],
  callback: ["Promise a call back", "Promettre un rappel"],
  voicemail: ["Take a message", "Prendre un message"],
  agent: ["Assistant", "Assistant"],
  flow: ["Go on in another flow", "Continuer dans un autre scénario"],
  end: ["Hang up", "Raccrocher"],
};

/** Each field: how it is edited, and its label in English and French. `node` is the step that the call goes on with. */
export const FIELDS = {
  prompt: ["prompt", "Words", "Paroles"],
  next: ["node", "Then", "Ensuite"],
  policy: [["opt_out", "opt_in"], "Recorded", "Enregistré"],
  options: ["options", "Choices", "Choix"],
  tries: ["number", "How often it asks", "Nombre de demandes", 1, 10],
  seconds: ["number", "Seconds to answer", "Secondes pour répondre", 1, 60],
  otherwise: ["node", "Otherwise", "Sinon"],
  language: ["language", "Language", "Langue"],
  calendar: ["calendar", "Opening hours", "Horaire"],
  open: ["node", "When open", "Si ouvert"],
  closed: ["node", "When closed", "Si fermé"],
  unknown: ["node", "When that is not known", "Si inconnu"],
  on: [["caller", "line", "returning"], "Looks at", "Regarde"],
  cases: ["cases", "Cases", "Cas"],
  group: ["group", "Group", "Groupe"],
  to: ["phone", "One telephone", "Un seul téléphone"],
  mode: ["id", "Name in reports", "Nom dans les rapports"],
  answered: ["node", "When answered", "Si on répond"],
  unanswered: ["node", "When nobody answers", "Si personne ne répond"],
  max_seconds: ["number", "Longest wait in seconds", "Attente maximale en secondes", 10, 3600],
  key: ["key", "Key to leave the queue", "Touche pour quitter la file"],
  offer: ["node", "After that key", "Après cette touche"],
  gave_up: ["node", "After the longest wait", "Après l’attente maximale"],
  full: ["node", "When the queue is full", "Si la file est pleine"],
  refused: ["node", "When it cannot be promised", "Si c’est impossible"],
  mailbox: ["id", "Mailbox", "Boîte vocale"],
  agent: ["agent", "Assistant", "Assistant"],
  departments: ["departments", "Departments", "Services"],
  message: ["node", "To leave a message", "Pour laisser un message"],
  callback: ["node", "To be called back", "Pour être rappelé"],
  done: ["node", "When it is done", "Quand c’est fini"],
  failed: ["node", "When it fails", "En cas d’échec"],
  name: ["flow", "Flow", "Scénario"],
};

/** Outcomes in a map's little room, in French; in English their fields' names are words. */
export const OUTCOMES = {
  otherwise: "sinon",
  open: "ouvert",
  closed: "fermé",
  unknown: "inconnu",
  answered: "répondu",
  unanswered: "sans réponse",
  offer: "touche",
  gave_up: "trop long",
  full: "pleine",
  refused: "impossible",
  message: "message",
  callback: "rappel",
  done: "fini",
  failed: "échec",
};

const bare = (field) => field.replace("?", "");
const NODE_FIELDS = Object.keys(FIELDS).filter((field) => FIELDS[field][0] === "node");

/** Where a step leads: `[outcome, target, own]`; own: the outcome is a field's name and not the flow's own words. */
export function edges(node) {
  return [
    ...(node.options ?? []).map(({ key, words, next }) => [key ?? [words].flat().join(", "), next]),
    ...(node.cases ?? []).map(({ in: values, next }) => [[values].flat().join(", "), next]),
    ...Object.entries(node.departments ?? {}),
    ...NODE_FIELDS.map((field) => [field === "next" ? "" : field, node[field], true]),
  ].filter(([, target]) => typeof target === "string" && target !== "");
}

/** The flow with another name for a step, wherever it is named. */
export function renamed(flow, from, to) {
  const name = (id) => id === from ? to : id;
  const node = (each) => ({
    ...each,
    ...Object.fromEntries(
      NODE_FIELDS.filter((field) => field in each).map((field) => [field, name(each[field])]),
    ),
    ...(each.options && { options: each.options.map((o) => ({ ...o, next: name(o.next) })) }),
    ...(each.cases && { cases: each.cases.map((c) => ({ ...c, next: name(c.next) })) }),
    ...(each.departments && {
      departments: Object.fromEntries(
        Object.entries(each.departments).map(([key, id]) => [key, name(id)]),
      ),
    }),
  });
  return {
    ...flow,
    start: name(flow.start),
    ...(flow.operator !== undefined && { operator: name(flow.operator) }),
    nodes: Object.fromEntries(
      Object.entries(flow.nodes).map(([id, each]) => [name(id), node(each)]),
    ),
    ...(flow.tests && {
      tests: flow.tests.map((test) => ({
        ...test,
        expect: {
          ...test.expect,
          ...(test.expect?.path && { path: test.expect.path.map(name) }),
          ...(test.expect?.ends_in && { ends_in: name(test.expect.ends_in) }),
        },
      })),
    }),
  };
}

/** `base`, or with the least number that makes it no key of `taken`. */
export function freeName(base, taken = {}) {
  if (!Object.hasOwn(taken, base)) return base;
  for (let n = 2;; n++) if (!Object.hasOwn(taken, `${base}_${n}`)) return `${base}_${n}`;
}

/** A step of another type: what fits stays, what is missing gets the likeliest value. */
export function ofType(flow, id, type) {
  const before = flow.nodes[id] ?? {};
  const end =
    Object.keys(flow.nodes).find((each) => each !== id && flow.nodes[each].type === "end") ?? "";
  const first = (record) => Object.keys(record ?? {})[0] ?? "";
  const likely = {
    prompt: () => first(flow.prompts),
    node: () => end,
    options: () => [{ key: "1", next: end }],
    cases: () => [{ in: [], next: end }],
    departments: () => ({}),
    language: () => flow.languages?.[0] ?? "",
    calendar: () => first(flow.calendars),
    group: () => first(flow.groups),
    agent: () => first(flow.agents),
    flow: () => "",
  };
  const value = (field) => {
    const [kind, , , least] = FIELDS[field];
    if (Array.isArray(kind)) return kind[0];
    if (kind === "number") return { tries: 2, max_seconds: 300 }[field] ?? least;
    return likely[kind]();
  };
  const node = { type };
  for (const field of TYPES[type]) {
    const name = bare(field);
    if (before[name] !== undefined) node[name] = before[name];
    else if (!field.endsWith("?")) node[name] = value(name);
  }
  if (type === "ring" && !node.group && !node.to) node.group = first(flow.groups);
  return node;
}

/** `08:00-12:00, 13:00-17:00` as periods; undefined: it is not such a text. Empty: closed all day. */
export function periodsOf(text) {
  const parts = text.split(/[,;]/).map((each) => each.trim()).filter(Boolean);
  const periods = parts.map((each) =>
    /^(\d{1,2}:\d\d)\s*[-–]\s*(\d{1,2}:\d\d)$/.exec(each)?.slice(1).map((time) =>
      time.padStart(5, "0")
    )
  );
  return periods.includes(undefined) ? undefined : periods;
}

/** Periods as a person writes them. */
export const periodsText = (periods = []) =>
  periods.map(([from, until]) => `${from}-${until}`).join(", ");
