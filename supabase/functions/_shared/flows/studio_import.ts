import { DEFAULTS, isObject, own } from "./language.ts";
import { ID, LANGUAGE } from "./schema.ts";
import { type Issue, issue } from "./parse.ts";
import { speaks } from "../voices.ts";

// A Twilio Studio flow as a flow document of ours. What has no equal here is reported, and left as a hole that the check
// refuses: nothing is guessed in silence. Pure.
// Sources: https://www.twilio.com/docs/studio/rest-api/v2/flow-definition (states, transitions, conditions),
// https://www.twilio.com/docs/studio/rest-api/v2/schemas (the properties of each widget).

export interface Imported {
  /** A draft of a flow document; `checkFlow` says what is left to do. */
  readonly definition: Record<string, unknown>;
  /** What is otherwise than in Studio, by the widget's name. */
  readonly reported: readonly Issue[];
}

/** A widget of Studio's. */
interface Widget {
  readonly name: string;
  readonly type: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly transitions: readonly Transition[];
}

interface Transition {
  readonly event: string;
  readonly next: string | undefined;
  readonly conditions: readonly Condition[];
}

interface Condition {
  readonly type: string;
  readonly argument: string;
  readonly value: string;
}

/** How often a menu is asked that Studio would ask for ever. */
const TRIES = 3;
/** How long a caller holds where Studio does not say it. */
const QUEUE_SECONDS = 600;
const END = "end_of_call";

/**
 * Reads the JSON that Studio exports.
 *
 * @param zone The zone of the flow's hours: Studio has none.
 * @throws {RangeError} where the document is none of Studio's.
 */
export function importStudio(definition: unknown, zone: string): Imported {
  const widgets = widgetsOf(definition);
  return new Import(widgets, zone).run();
}

class Import {
  readonly #widgets: ReadonlyMap<string, Widget>;
  readonly #zone: string;
  readonly #ids = new Map<string, string>();
  readonly #nodes: Record<string, unknown> = {};
  readonly #prompts: Record<string, Record<string, unknown>> = {};
  readonly #groups: Record<string, unknown> = {};
  readonly #reported: Issue[] = [];
  /** Widgets that became part of another's node. */
  readonly #absorbed = new Set<string>();
  readonly #language: string;

  constructor(widgets: readonly Widget[], zone: string) {
    this.#widgets = new Map(widgets.map((widget) => [widget.name, widget]));
    this.#zone = zone;
    const languages = widgets.map(({ properties }) => text(properties.language));
    this.#language = languages.find((each) => each !== undefined && LANGUAGE.test(each)) ?? "en-US";
  }

  run(): Imported {
    const trigger = [...this.#widgets.values()].find(({ type }) => type === "trigger");
    const start = trigger && next(trigger, "incomingCall");
    if (trigger === undefined || start === undefined) {
      throw new RangeError("Cannot import the flow: its trigger leads nowhere on incomingCall");
    }
    const waiting = [start];
    const seen = new Set<string>();
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const widget = this.#widgets.get(name);
      if (seen.has(name) || widget === undefined) continue;
      seen.add(name);
      waiting.push(...this.#convert(widget));
    }
    for (const { name, type } of this.#widgets.values()) {
      if (type !== "trigger" && !seen.has(name) && !this.#absorbed.has(name)) {
        this.#report(name, `is left out: no incoming call comes to this ${type}`);
      }
    }
    this.#nodes[END] = { type: "end" };
    return {
      definition: {
        schema: 1,
        zone: this.#zone,
        languages: [this.#language],
        ...this.#voice(),
        start: this.#id(start),
        prompts: this.#prompts,
        ...(Object.keys(this.#groups).length > 0 && { groups: this.#groups }),
        nodes: this.#nodes,
      },
      reported: this.#reported,
    };
  }

  /** @returns the widgets that come after it. */
  #convert(widget: Widget): string[] {
    switch (widget.type) {
      case "say-play":
        return this.#sayPlay(widget);
      case "gather-input-on-call":
        return this.#gather(widget);
      case "split-based-on":
        return this.#split(widget);
      case "connect-call-to":
        return this.#connect(widget);
      case "record-voicemail":
        return this.#voicemail(widget, widget);
      case "enqueue-call":
      case "send-to-flex":
        return this.#enqueue(widget);
      default:
        this.#report(widget.name, `has no equal here: ${widget.type}`);
        return [];
    }
  }

  #sayPlay(widget: Widget): string[] {
    const after = next(widget, "audioComplete");
    const follower = after === undefined ? undefined : this.#widgets.get(after);
    if (follower?.type === "record-voicemail") return this.#voicemail(widget, follower);
    this.#put(widget, { type: "say", prompt: this.#prompt(widget), next: this.#to(after) });
    return list(after);
  }

  // --- menus ------------------------------------------------------------------------------------------------

  #gather(widget: Widget): string[] {
    const { name, properties } = widget;
    const digits = number(properties.number_of_digits);
    if (digits !== undefined && digits > 1) {
      this.#report(name, `takes ${digits} digits: a menu takes one key`);
      return [];
    }
    const options: { key?: string; words?: string[]; next: string }[] = [];
    const after: string[] = [];
    const others = [next(widget, "timeout")];
    for (const [event, field] of [["keypress", "Digits"], ["speech", "SpeechResult"]] as const) {
      const target = next(widget, event);
      if (target === undefined) continue;
      const split = this.#widgets.get(target);
      if (split?.type === "split-based-on" && asks(split, name, field)) {
        this.#absorbed.add(split.name);
        others.push(next(split, "noMatch"));
        after.push(...this.#options(split, field, options));
      } else if (event === "speech") {
        this.#report(name, "takes any words for the same choice: give each option its words");
      } else {
        for (const key of "1234567890") options.push({ key, next: this.#to(target) });
        after.push(target);
      }
    }
    const ways = others.filter((target) => !this.#leadsBack(name, target));
    const [otherwise, ...rest] = new Set(ways);
    if (rest.length > 0) {
      this.#report(
        name,
        `goes one way on silence and another when it is not understood: here it is ${
          otherwise ?? "the end"
        } for both, not ${rest.map((each) => each ?? "the end").join(" or ")}`,
      );
    }
    const isAskedAgain = ways.length < others.length;
    if (isAskedAgain) {
      this.#report(name, `is asked ${TRIES} times at most, where Studio asks for ever`);
    }
    this.#put(widget, {
      type: "menu",
      prompt: this.#prompt(widget),
      options,
      tries: isAskedAgain ? TRIES : 1,
      ...this.#seconds(widget),
      otherwise: this.#to(otherwise),
    });
    return [...after, ...list(otherwise)];
  }

  /** Adds what a split tells apart to a menu's options. @returns where they lead. */
  #options(
    split: Widget,
    field: "Digits" | "SpeechResult",
    options: { key?: string; words?: string[]; next: string }[],
  ): string[] {
    const after: string[] = [];
    for (const { event, next: target, conditions } of split.transitions) {
      if (event !== "match") continue;
      if (target === undefined) {
        this.#report(split.name, "has a match that leads nowhere: the call ends there");
      }
      for (const { type, value } of conditions) {
        const values = type === "matches_any_of"
          ? value.split(",").map((each) => each.trim())
          : [value];
        const isKnown = ["equal_to", "matches_any_of"].includes(type) ||
          (field === "SpeechResult" && type === "contains");
        if (!isKnown) {
          this.#report(split.name, `compares by ${type}, which has no equal here: "${value}"`);
          continue;
        }
        for (const each of values) {
          if (field === "SpeechResult") options.push({ words: [each], next: this.#to(target) });
          else if (/^[0-9*#]$/.test(each)) options.push({ key: each, next: this.#to(target) });
          else this.#report(split.name, `waits for "${each}": a menu takes one key`);
        }
      }
      after.push(...list(target));
    }
    return after;
  }

  /** Whether a way leads to the menu that it comes from, by way of words at most. */
  #leadsBack(menu: string, target: string | undefined): boolean {
    if (target === menu) return true;
    const widget = target === undefined ? undefined : this.#widgets.get(target);
    if (widget?.type !== "say-play" || next(widget, "audioComplete") !== menu) return false;
    this.#absorbed.add(widget.name);
    this.#report(widget.name, "is replaced by our own words before the menu is asked again");
    return true;
  }

  #seconds({ name, properties }: Widget): { seconds?: number } {
    const seconds = number(properties.timeout);
    if (seconds === undefined || seconds === DEFAULTS.menuSeconds) return {};
    const within = Math.min(60, Math.max(1, seconds));
    if (within !== seconds) this.#report(name, `waits for ${within} seconds instead of ${seconds}`);
    return { seconds: within };
  }

  // --- other splits -----------------------------------------------------------------------------------------

  #split(split: Widget): string[] {
    const input = text(split.properties.input) ?? "";
    if (!/^\{\{\s*(trigger\.call\.From|contact\.channel\.address)\s*\}\}$/.test(input)) {
      this.#report(split.name, `has no equal here: it tells calls apart by ${input}`);
      return [];
    }
    const cases: { in: string[]; next: string }[] = [];
    const after = list(next(split, "noMatch"));
    for (const { event, next: target, conditions } of split.transitions) {
      if (event !== "match") continue;
      const values = conditions.flatMap(({ type, value }) => {
        if (type === "equal_to") return [value];
        if (type === "matches_any_of") return value.split(",").map((each) => each.trim());
        if (type === "starts_with") return [`${value}*`];
        this.#report(split.name, `compares by ${type}, which has no equal here: "${value}"`);
        return [];
      });
      if (values.length > 0) cases.push({ in: values, next: this.#to(target) });
      after.push(...list(target));
    }
    this.#put(split, {
      type: "match",
      on: "caller",
      cases,
      otherwise: this.#to(next(split, "noMatch")),
    });
    return after;
  }

  // --- people and messages ----------------------------------------------------------------------------------

  #connect(widget: Widget): string[] {
    const { name, properties } = widget;
    const noun = text(properties.noun) ?? "number";
    const numbers = (text(properties.to) ?? "").split(",").map((each) =>
      each.replace(/[\s()-]/g, "")
    )
      .filter((each) => each !== "")
      .map((each) => /^1\d{10}$/.test(each) ? `+${each}` : each);
    if (!/^number(-multi)?$/.test(noun)) {
      this.#report(name, `has no equal here: it connects to a ${noun}`);
      return [];
    }
    if (text(properties.record) === "true" || properties.record === true) {
      this.#report(name, "records: put a consent node before it, or nothing is recorded");
    }
    const shown = text(properties.caller_id);
    if (shown !== undefined && !/trigger\.call\.From|contact\.channel\.address/.test(shown)) {
      this.#report(name, "shows another number than the caller's: here the caller's is shown");
    }
    const { answered, unanswered, after } = this.#afterCall(widget);
    const timeout = number(properties.timeout) ?? 30;
    const seconds = Math.min(600, Math.max(5, timeout));
    if (seconds !== timeout) this.#report(name, `rings ${seconds} seconds instead of ${timeout}`);
    const id = this.#id(name);
    this.#groups[id] = { members: numbers, seconds };
    this.#put(widget, { type: "ring", group: id, answered, unanswered });
    return after;
  }

  /** A queue of TaskRouter's, whose workers Studio does not name: a group without members, which the check refuses. */
  #enqueue(widget: Widget): string[] {
    const { name, properties, type } = widget;
    const id = this.#id(name);
    const queue = text(properties.queue_name) ?? text(properties.workflow_sid) ??
      text(properties.workflow);
    const whose = queue === undefined || queue === "" ? "of TaskRouter" : `"${queue}"`;
    this.#report(name, `holds for the people of the queue ${whose}: name them in groups.${id}`);
    const timeout = number(properties.timeout);
    const seconds = Math.min(3600, Math.max(10, timeout ?? QUEUE_SECONDS));
    if (seconds !== timeout) {
      this.#report(
        name,
        `holds a caller for ${seconds} seconds at most${
          timeout === undefined ? ", where Studio names no end" : ` instead of ${timeout}`
        }`,
      );
    }
    const own = ["wait_url", "waitUrl"].some((each) => (text(properties[each]) ?? "") !== "");
    if (own) this.#report(name, "plays its own music: put it into a prompt, or a tone is heard");
    if (type === "send-to-flex") {
      this.#report(name, "is answered by telephone: the agents of Flex are not asked");
    }
    const answered = next(widget, "callComplete");
    const failed = next(widget, "failedToEnqueue");
    const others = next(widget, "callFailure");
    if (others !== undefined && others !== failed) {
      this.#report(name, `goes on to ${this.#to(failed)} on callFailure too, instead of ${others}`);
    }
    this.#groups[id] = { members: [], confirm: true };
    this.#put(widget, {
      type: "queue",
      group: id,
      max_seconds: seconds,
      answered: this.#to(answered),
      gave_up: this.#to(failed),
      full: this.#to(failed),
    });
    return [...list(answered), ...list(failed)];
  }

  /** Studio has one way for a call that was answered and one that was not, unless a split tells them apart. */
  #afterCall(widget: Widget): { answered: string; unanswered: string; after: string[] } {
    const { name } = widget;
    const target = next(widget, "callCompleted");
    const split = target === undefined ? undefined : this.#widgets.get(target);
    if (split?.type !== "split-based-on" || !asks(split, name, "DialCallStatus")) {
      if (target !== undefined) {
        this.#report(
          name,
          "goes the same way whether somebody answered or not: see that it should",
        );
      }
      return { answered: this.#to(target), unanswered: this.#to(target), after: list(target) };
    }
    this.#absorbed.add(split.name);
    const leads = (statuses: RegExp) =>
      split.transitions.find(({ event, conditions }) =>
        event === "match" &&
        conditions.some(({ value }) => value.split(",").some((each) => statuses.test(each.trim())))
      )?.next;
    const noMatch = next(split, "noMatch");
    const answered = leads(/^(completed|answered)$/) ?? noMatch;
    const unanswered = leads(/^(no-answer|busy|failed|canceled)$/) ?? noMatch;
    return {
      answered: this.#to(answered),
      unanswered: this.#to(unanswered),
      after: [...list(answered), ...list(unanswered)],
    };
  }

  /** @param said What is said before the tone: a say-play, or the recording widget itself, which says nothing. */
  #voicemail(said: Widget, record: Widget): string[] {
    if (said !== record) this.#absorbed.add(record.name);
    const { name, properties } = record;
    const length = number(properties.max_length) ?? 3600;
    if (length > 120) this.#report(name, `records 120 seconds at most instead of ${length}`);
    const key = text(properties.finish_on_key);
    if (key !== undefined && key !== "" && key !== "#") {
      this.#report(name, `is ended by # instead of ${key}`);
    }
    const after = next(record, "recordingComplete");
    for (const event of ["noAudio", "hangup"]) {
      const other = next(record, event);
      if (other !== undefined && other !== after) {
        this.#report(name, `goes on to ${this.#to(after)} on ${event} too, instead of ${other}`);
      }
    }
    this.#put(said, { type: "voicemail", prompt: this.#prompt(said), next: this.#to(after) });
    return list(after);
  }

  // --- names and words --------------------------------------------------------------------------------------

  /** @returns the name of a prompt; without words it is left without a text, which the check refuses. */
  #prompt({ name, properties }: Widget): string {
    const id = this.#id(name);
    const prompt: Record<string, unknown> = {};
    this.#prompts[id] = prompt;
    const said = text(properties.say)?.replace(/\s+/g, " ").trim() ?? "";
    const url = text(properties.play) ?? "";
    const digits = text(properties.digits) ?? "";
    if (said.includes("{{")) {
      this.#report(
        name,
        "says something else in each call, which has no equal here: write its words",
      );
    } else if (said !== "") prompt[this.#language] = said;
    else if (url !== "") {
      this.#report(
        name,
        `plays ${url}: store the file by \`task flow prompt\` and put its hash here`,
      );
    } else if (digits !== "") this.#report(name, "plays keys, which has no equal here");
    else this.#report(name, "says nothing: write its words");
    const language = text(properties.language);
    if (language !== undefined && language !== this.#language) {
      this.#report(name, `speaks ${language}: put a language node before it`);
    }
    if ((number(properties.loop) ?? 1) !== 1) {
      this.#report(name, "is said once, where Studio says it several times");
    }
    return id;
  }

  #voice(): { voices?: Record<string, string> } {
    const voices = new Set(
      [...this.#widgets.values()].map(({ properties }) => text(properties.voice))
        .filter((voice) => voice !== undefined),
    );
    const voice = [...voices].find((each) => speaks(each, this.#language));
    for (const other of voices) {
      if (other !== voice) {
        this.#report("", `the voice ${other} is not taken over: a language has one voice here`);
      }
    }
    return voice === undefined ? {} : { voices: { [this.#language]: voice } };
  }

  /** The node that an edge leads to; one that leads nowhere ends the call, as in Studio. */
  #to(name: string | undefined): string {
    return name === undefined ? END : this.#id(name);
  }

  /** A widget's name as a node's. */
  #id(name: string): string {
    const before = this.#ids.get(name);
    if (before !== undefined) return before;
    const words = name.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^[^a-z]+|_+$/g, "");
    const base = (words === "" || words in Object.prototype ? `widget_${words}` : words)
      .slice(0, 28).replace(/_+$/, "");
    const taken = new Set([END, ...this.#ids.values()]);
    let id = base;
    for (let nth = 2; taken.has(id); nth++) id = `${base}_${nth}`;
    if (!ID.test(id)) throw new Error(`no name of ours: ${id}`);
    this.#ids.set(name, id);
    return id;
  }

  #put({ name }: Widget, node: Record<string, unknown>) {
    this.#nodes[this.#id(name)] = node;
  }

  #report(widget: string, message: string) {
    this.#reported.push(issue([widget].filter((each) => each !== ""), message));
  }
}

// --- reading Studio's JSON ----------------------------------------------------------------------------------

function widgetsOf(definition: unknown): Widget[] {
  const states = isObject(definition) ? definition.states : undefined;
  if (!Array.isArray(states) || states.length > 1000) {
    throw new RangeError(
      "Cannot import the flow: it must be the JSON of a Studio flow, with at most 1000 states",
    );
  }
  return objects(states).map(({ name, type, properties, transitions }) => ({
    name: text(name) ?? "",
    type: text(type) ?? "",
    properties: isObject(properties) ? properties : {},
    transitions: objects(transitions).map(({ event, next, conditions }) => ({
      event: text(event) ?? "",
      next: text(next) || undefined,
      conditions: objects(conditions).map((condition) => ({
        type: text(condition.type) ?? "",
        argument: text(Array.isArray(condition.arguments) && condition.arguments[0]) ?? "",
        value: text(condition.value) ?? "",
      })),
    })),
  }));
}

function objects(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter((each) => isObject(each)) : [];
}

/** Where a widget leads on an event. */
function next(widget: Widget, event: string): string | undefined {
  return widget.transitions.find((each) => each.event === event)?.next;
}

/** Whether a split asks for what another widget brought. */
function asks(split: Widget, widget: string, field: string): boolean {
  const asked = `{{widgets.${widget}.${field}}}`.replace(/\s/g, "");
  return [
    text(own(split.properties, "input")),
    ...split.transitions.flatMap(({ conditions }) => conditions.map(({ argument }) => argument)),
  ].some((each) => each?.replace(/\s/g, "") === asked);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function number(value: unknown): number | undefined {
  const given = typeof value === "string" && value !== "" ? Number(value) : value;
  return typeof given === "number" && Number.isFinite(given) ? given : undefined;
}

function list<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}
