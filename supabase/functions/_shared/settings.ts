import { SettingError } from "./errors.ts";
import {
  DEFAULT_DESTINATIONS,
  type Destinations,
  type Dialable,
  dialable,
  parseDestinations,
} from "./destinations.ts";
import { isE164, maskPhone } from "./phone.ts";
import { addressCheck } from "./ip_allowlist.ts";

/** From the least to the most important. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

/** `production` refuses settings that are for experiments. */
const ENVIRONMENTS = ["development", "test", "staging", "production"] as const;

/** A deployment's settings; docs/settings.md and .env.example describe each name. */
export interface Settings {
  /** Verifies `X-Twilio-Signature`; never logged. */
  readonly twilioAuthToken: string;
  /** The token before it, while both sign: set when a token is replaced, unset when Twilio uses the new one. */
  readonly previousTwilioAuthToken: string | undefined;
  readonly twilioAccountSid: string | undefined;
  /** The calls a second that Twilio makes for an account. */
  readonly twilioCallsPerSecond: number;
  /** Where Twilio's REST API is, without a trailing slash. */
  readonly twilioApiUrl: string;
  readonly businessTarget: Dialable;
  readonly salesTarget: Dialable;
  readonly supportTarget: Dialable;
  /** The numbers that may be dialled, whatever names them. */
  readonly destinations: Destinations;
  /** The longest dialled leg. */
  readonly maxCallMinutes: number;
  /** The most dialled minutes of a line in a day; after that its callers reach voicemail. */
  readonly maxDialledMinutesPerDay: number;
  /** Addresses and CIDR ranges; empty: any address. */
  readonly twilioIpAllowlist: readonly string[];
  /** Skips the signature check. Only ever true outside production. */
  readonly allowInsecureWebhooks: boolean;
  readonly recordingConsent: "opt_out" | "opt_in";
  /** The most calls to one number in any 60 s, from all callers. */
  readonly maxCallsPerMinute: number;
  /** Where calls are counted before PostgreSQL counts them. The token is never logged. */
  readonly upstash: { readonly url: string; readonly token: string } | undefined;
  /** The e-mail service; the API key is never logged. */
  readonly mail: MailSettings;
  /** Websites whose pages may send messages, as origins; empty: none. */
  readonly contactAllowedOrigins: readonly string[];
  /** Messages an hour from all of the website's visitors. */
  readonly contactMaxPerHour: number;
  readonly environment: typeof ENVIRONMENTS[number];
  /** Log lines below it are not written. */
  readonly logLevel: LogLevel;
  /** Where errors are reported beside the log. */
  readonly sentry: SentryDsn | undefined;
  /** Lets a scraper read `metrics` and nothing else; never logged. */
  readonly metricsToken: string | undefined;
  /** Let the scheduler start the workers, and do nothing else: the present token and the one before it; never logged. */
  readonly schedulerTokens: readonly string[];
  /** The shortest time between two reports of an isolate's counts; 0: no reports. */
  readonly metricsFlushSeconds: number;
  /** The channels for alerts beside e-mail; never logged. */
  readonly alerts: AlertSettings;
  /** The providers of models that there are keys for; never logged. The address of OpenAI's API includes `/v1`. */
  readonly models: {
    readonly anthropic: ModelProvider | undefined;
    readonly openai: ModelProvider | undefined;
  };
  readonly agent: AgentSettings;
  /** The public base that Twilio calls, without a trailing slash; signatures cover it. */
  readonly publicFunctionsUrl: string;
  /** The Supabase project's own address, without a trailing slash. */
  readonly supabaseUrl: string;
  /** The project's secret key, for the Data API. */
  readonly secretKey: string;
  /** It and the project's other secret keys. An operator may use any of them, so that each can be replaced. */
  readonly secretKeys: readonly [string, ...string[]];
  /** Verifies the tokens of signed-in users; with neither, no user is accepted. The secret is never logged. */
  readonly userTokens: {
    readonly secret: string | undefined;
    /** JSON, as the platform sets it. */
    readonly jwks: string | undefined;
  };
}

/** A provider of language models. */
export interface ModelProvider {
  readonly apiKey: string;
  /** Without a trailing slash. */
  readonly baseUrl: string;
}

/** Caps of AI agents; a flow may set lower ones. */
export interface AgentSettings {
  /** Minutes of talk of one line in a day (UTC). */
  readonly minutesPerDay: number;
  /** US dollars for models, of one line in a day (UTC). */
  readonly costPerDayUsd: number;
  /** Talks at a time, of one line. */
  readonly concurrentPerLine: number;
  /** Talks at a time, of all lines. */
  readonly concurrent: number;
  /** How long the platform lets an isolate run, in seconds; 0: as long as it likes. */
  readonly isolateSec: number;
}

/** The settings of e-mail; absent ones keep mails waiting. */
export interface MailSettings {
  readonly resendApiKey: string | undefined;
  /** Where Resend's API is, without a trailing slash. */
  readonly resendUrl: string;
  /** The sender: an address, or `Name <address>`. */
  readonly from: string | undefined;
  /** The operator's address. */
  readonly notifyTo: string | undefined;
  /** Mails that are sent in any hour. */
  readonly maxPerHour: number;
}

/** A Sentry project's endpoint for events. */
export interface SentryDsn {
  /** Its envelope endpoint. */
  readonly url: string;
  readonly publicKey: string;
}

/** Addresses and keys that are secrets themselves. */
export interface AlertSettings {
  readonly slackWebhookUrl: string | undefined;
  readonly pagerDutyRoutingKey: string | undefined;
  /** Where docs/runbook.md can be read: no secret, part of each message. */
  readonly runbookUrl: string | undefined;
}

/** Looks up one variable, as `Deno.env.get` does. */
export type Environment = (name: string) => string | undefined;

/**
 * Reads every setting once; the only reader of the environment.
 *
 * @throws {SettingError} for the first setting that is missing or malformed, by its name.
 */
export function readSettings(env: Environment): Settings {
  // A variable that is set to nothing (`NAME=` in .env) counts as not set.
  const optional = (name: string) => env(name)?.trim() || undefined;
  const required = (name: string, hint: string) => {
    const value = optional(name);
    if (value === undefined) throw new SettingError(name, `must be set: ${hint}`);
    return value;
  };
  const oneOf = <T extends string>(name: string, fallback: T, allowed: readonly T[]): T => {
    const value = optional(name) ?? fallback;
    if (!allowed.includes(value as T)) {
      throw new SettingError(
        name,
        `must be ${
          allowed.join(", ").replace(/, (?=[^,]*$)/, " or ")
        }: current value is "${value}"`,
      );
    }
    return value as T;
  };
  const destinations = destinationList(optional("ALLOWED_DESTINATIONS") ?? DEFAULT_DESTINATIONS);
  const destination = (name: string, value: string): Dialable => {
    if (!isE164(value)) {
      throw new SettingError(
        name,
        `must be a phone number in E.164 form such as +15877428885: current value has ${value.length} characters`,
      );
    }
    const number = dialable(value, destinations);
    if (number === undefined) {
      throw new SettingError(
        name,
        `must be a number that ALLOWED_DESTINATIONS lets the system dial, and no emergency or short code: current value is ${
          value.length > 7 ? maskPhone(value) : `"${value}"`
        }`,
      );
    }
    return number;
  };

  const environment = oneOf("NODE_ENV", "development", ENVIRONMENTS);
  const production = environment === "production";
  const allowInsecureWebhooks =
    oneOf("ALLOW_INSECURE_TWILIO_WEBHOOKS", "false", ["true", "false"]) === "true";
  if (production && allowInsecureWebhooks) {
    throw new SettingError(
      "ALLOW_INSECURE_TWILIO_WEBHOOKS",
      'must be "false" when NODE_ENV is "production": unsigned requests would reach the phone line',
    );
  }

  const businessTarget = destination(
    "BUSINESS_TARGET_E164",
    required("BUSINESS_TARGET_E164", "the phone number that calls go to, such as +15877428885"),
  );
  const target = (name: string) => {
    const value = optional(name);
    return value === undefined ? businessTarget : destination(name, value);
  };
  const keys = secretKeys(optional);
  const number = (name: string, fallback: number, most: number) =>
    wholeNumber(name, optional(name), fallback, most);
  const supabaseUrl = url(
    "SUPABASE_URL",
    required("SUPABASE_URL", "the project's address (Supabase sets it for edge functions)"),
  );

  return {
    twilioAuthToken: required(
      "TWILIO_AUTH_TOKEN",
      "the account's primary auth token, from Twilio's console",
    ),
    previousTwilioAuthToken: optional("TWILIO_AUTH_TOKEN_PREVIOUS"),
    twilioAccountSid: accountSid(optional("TWILIO_ACCOUNT_SID")),
    twilioCallsPerSecond: wholeNumber(
      "TWILIO_CALLS_PER_SECOND",
      optional("TWILIO_CALLS_PER_SECOND"),
      1,
      1000,
    ),
    twilioApiUrl: url("TWILIO_API_URL", optional("TWILIO_API_URL") ?? "https://api.twilio.com"),
    businessTarget,
    salesTarget: target("SALES_TARGET_E164"),
    supportTarget: target("SUPPORT_TARGET_E164"),
    destinations,
    maxCallMinutes: wholeNumber("MAX_CALL_MINUTES", optional("MAX_CALL_MINUTES"), 60, 1440),
    maxDialledMinutesPerDay: wholeNumber(
      "MAX_DIALLED_MINUTES_PER_DAY",
      optional("MAX_DIALLED_MINUTES_PER_DAY"),
      60_000,
      1_000_000,
    ),
    twilioIpAllowlist: addresses(optional("TWILIO_IP_ALLOWLIST") ?? ""),
    allowInsecureWebhooks,
    recordingConsent: oneOf("RECORDING_CONSENT", "opt_out", ["opt_out", "opt_in"]),
    maxCallsPerMinute: callCeiling(optional("MAX_CALLS_PER_MINUTE")),
    upstash: upstash(optional),
    mail: mailSettings(optional),
    contactAllowedOrigins: origins(optional("CONTACT_ALLOWED_ORIGINS") ?? ""),
    contactMaxPerHour: wholeNumber(
      "MAX_CONTACT_MESSAGES_PER_HOUR",
      optional("MAX_CONTACT_MESSAGES_PER_HOUR"),
      60,
      1000,
    ),
    environment,
    logLevel: oneOf("LOG_LEVEL", "info", LOG_LEVELS),
    sentry: sentryDsn(optional("SENTRY_DSN")),
    metricsToken: secretWord("METRICS_TOKEN", optional("METRICS_TOKEN"), TOKEN_FORM),
    schedulerTokens: (["SCHEDULER_TOKEN", "SCHEDULER_TOKEN_PREVIOUS"] as const)
      .map((name) => secretWord(name, optional(name), TOKEN_FORM))
      .filter((token) => token !== undefined),
    metricsFlushSeconds: flushSeconds(optional("METRICS_FLUSH_SECONDS"), production ? 10 : 0),
    alerts: {
      slackWebhookUrl: secretWord(
        "ALERT_SLACK_WEBHOOK_URL",
        optional("ALERT_SLACK_WEBHOOK_URL"),
        /^https?:\/\/[^\s/]+\/\S+$/,
      ),
      pagerDutyRoutingKey: secretWord(
        "ALERT_PAGERDUTY_ROUTING_KEY",
        optional("ALERT_PAGERDUTY_ROUTING_KEY"),
        /^[0-9A-Za-z]{32}$/,
      ),
      runbookUrl: optionalUrl("RUNBOOK_URL", optional("RUNBOOK_URL")),
    },
    models: {
      anthropic: modelProvider(optional, "ANTHROPIC", "https://api.anthropic.com"),
      openai: modelProvider(optional, "OPENAI", "https://api.openai.com/v1"),
    },
    agent: {
      minutesPerDay: number("AGENT_MAX_MINUTES_PER_DAY", 600, 100_000),
      costPerDayUsd: number("AGENT_MAX_COST_USD_PER_DAY", 20, 100_000),
      concurrentPerLine: number("AGENT_MAX_CONCURRENT_PER_LINE", 10, 10_000),
      concurrent: number("AGENT_MAX_CONCURRENT", 20, 10_000),
      isolateSec: isolateSeconds(optional("AGENT_ISOLATE_SECONDS")),
    },
    publicFunctionsUrl: url(
      "PUBLIC_FUNCTIONS_URL",
      optional("PUBLIC_FUNCTIONS_URL") ?? `${supabaseUrl}/functions/v1`,
    ),
    supabaseUrl,
    secretKey: keys[0],
    secretKeys: keys,
    userTokens: {
      secret: optional("SUPABASE_JWT_SECRET") ?? optional("JWT_SECRET"),
      jwks: optional("SUPABASE_JWKS"),
    },
  };
}

function accountSid(value: string | undefined): string | undefined {
  if (value !== undefined && !/^AC[0-9a-fA-F]{32}$/.test(value)) {
    throw new SettingError(
      "TWILIO_ACCOUNT_SID",
      "must be AC and 32 hexadecimal digits, from Twilio's console",
    );
  }
  return value;
}

const TOKEN_FORM = /^[\x21-\x7e]{16,}$/;

/** The expected form of each secret; messages never repeat the value. */
const FORMS = {
  METRICS_TOKEN: "one word of at least 16 printable characters",
  SCHEDULER_TOKEN: "one word of at least 16 printable characters",
  SCHEDULER_TOKEN_PREVIOUS: "one word of at least 16 printable characters",
  ALERT_SLACK_WEBHOOK_URL: "the address of an incoming webhook, from Slack",
  ALERT_PAGERDUTY_ROUTING_KEY:
    "the integration key of 32 characters of an Events API v2 integration, from PagerDuty",
} as const;

function secretWord(
  name: keyof typeof FORMS,
  value: string | undefined,
  form: RegExp,
): string | undefined {
  if (value !== undefined && !form.test(value)) {
    throw new SettingError(
      name,
      `must be ${FORMS[name]}: current value has ${value.length} characters`,
    );
  }
  return value;
}

/** Reads `https://KEY@HOST/PROJECT`, with a path before the project where Sentry is hosted under one. */
function parseSentryDsn(dsn: string): SentryDsn | undefined {
  if (!URL.canParse(dsn)) return undefined;
  const { protocol, username, host, pathname } = new URL(dsn);
  const [, path, project] = /^(.*)\/(\d+)\/?$/.exec(pathname) ?? [];
  if (!["http:", "https:"].includes(protocol) || username === "" || project === undefined) {
    return undefined;
  }
  return { url: `${protocol}//${host}${path}/api/${project}/envelope/`, publicKey: username };
}

function sentryDsn(value: string | undefined): SentryDsn | undefined {
  if (value === undefined) return undefined;
  const dsn = parseSentryDsn(value);
  if (dsn === undefined) {
    throw new SettingError(
      "SENTRY_DSN",
      `must be of the form https://KEY@HOST/PROJECT, from Sentry's project settings: current value has ${value.length} characters`,
    );
  }
  return dsn;
}

function flushSeconds(value: string | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  const seconds = Number(value);
  if (!/^\d+$/.test(value) || seconds > 60) {
    throw new SettingError(
      "METRICS_FLUSH_SECONDS",
      `must be a whole number from 0 (never) to 60: current value is "${value}"`,
    );
  }
  return seconds;
}

/**
 * Supabase's newer keys come as a JSON object, by name; the legacy service role key is the fallback for the default one.
 * It is ignored beside a default key, because the platform sets it even when it is disabled.
 */
function secretKeys(optional: Environment): [string, ...string[]] {
  const keys = optional("SUPABASE_SECRET_KEYS");
  let others: string[] = [];
  if (keys !== undefined) {
    let parsed: unknown;
    try {
      parsed = JSON.parse(keys);
    } catch {
      throw new SettingError(
        "SUPABASE_SECRET_KEYS",
        'must be JSON such as {"default": "sb_secret_..."}',
      );
    }
    // The values of a text would be its letters.
    const byName = typeof parsed === "object" && parsed !== null ? parsed : {};
    const { default: key, ...rest } = byName as Record<string, unknown>;
    others = Object.values(rest)
      .filter((other): other is string => typeof other === "string" && other !== "");
    if (typeof key === "string" && key !== "") return [key, ...others];
  }
  const legacy = optional("SUPABASE_SERVICE_ROLE_KEY");
  if (legacy === undefined) {
    throw new SettingError(
      "SUPABASE_SECRET_KEYS",
      'must be JSON with a "default" key, or SUPABASE_SERVICE_ROLE_KEY must be set (Supabase sets them for edge functions)',
    );
  }
  return [legacy, ...others];
}

function destinationList(list: string): Destinations {
  try {
    return parseDestinations(list);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SettingError("ALLOWED_DESTINATIONS", error.message);
  }
}

function wholeNumber(
  name: string,
  value: string | undefined,
  fallback: number,
  most: number,
): number {
  if (value === undefined) return fallback;
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < 1 || number > most) {
    throw new SettingError(
      name,
      `must be a whole number from 1 to ${most}: current value is "${value}"`,
    );
  }
  return number;
}

function isolateSeconds(value = "150"): number {
  const seconds = Number(value);
  if (!/^\d+$/.test(value) || (seconds !== 0 && seconds < 60) || seconds > 86_400) {
    throw new SettingError(
      "AGENT_ISOLATE_SECONDS",
      `must be 0 (no limit), or a whole number from 60 to 86400: current value is "${value}"`,
    );
  }
  return seconds;
}

/** Without a key the provider is not used. The key is not repeated. */
function modelProvider(
  optional: Environment,
  provider: "ANTHROPIC" | "OPENAI",
  fallback: string,
): ModelProvider | undefined {
  const apiKey = optional(`${provider}_API_KEY`);
  const baseUrl = url(
    `${provider}_BASE_URL`,
    optional(`${provider}_BASE_URL`) ?? fallback,
  );
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new SettingError(`${provider}_API_KEY`, "must be one word, from the provider's console");
  }
  return apiKey === undefined ? undefined : { apiKey, baseUrl };
}

/** At most the number of times that the database keeps. */
function callCeiling(value = "1000"): number {
  const ceiling = Number(value);
  if (!/^\d+$/.test(value) || ceiling < 1 || ceiling > 10_000) {
    throw new SettingError(
      "MAX_CALLS_PER_MINUTE",
      `must be a whole number from 1 to 10000: current value is "${value}"`,
    );
  }
  return ceiling;
}

/** Both settings, or neither. The values are not repeated: one is easily entered as the other. */
function upstash(optional: Environment): Settings["upstash"] {
  const address = optional("UPSTASH_REDIS_REST_URL");
  const token = optional("UPSTASH_REDIS_REST_TOKEN");
  if (address === undefined && token === undefined) return undefined;
  if (address === undefined) {
    throw new SettingError(
      "UPSTASH_REDIS_REST_URL",
      "must be set where UPSTASH_REDIS_REST_TOKEN is: the database's address, from Upstash's console",
    );
  }
  if (token === undefined) {
    throw new SettingError(
      "UPSTASH_REDIS_REST_TOKEN",
      "must be set where UPSTASH_REDIS_REST_URL is: the database's token, from Upstash's console",
    );
  }
  if (!/^https?:\/\//.test(address)) {
    throw new SettingError(
      "UPSTASH_REDIS_REST_URL",
      `must be an http(s) address such as https://example-12345.upstash.io: current value has ${address.length} characters`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new SettingError(
      "UPSTASH_REDIS_REST_TOKEN",
      `must be one word of printable ASCII: current value has ${token.length} characters`,
    );
  }
  return { url: url("UPSTASH_REDIS_REST_URL", address), token };
}

/** An address that is malformed is named, and not repeated. */
function mailSettings(optional: Environment): MailSettings {
  const address = (name: string, pattern: RegExp, example: string) => {
    const value = optional(name);
    if (value !== undefined && !pattern.test(value)) {
      throw new SettingError(
        name,
        `must be one e-mail address such as ${example}: current value has ${value.length} characters`,
      );
    }
    return value;
  };
  const resendApiKey = optional("RESEND_API_KEY");
  if (resendApiKey !== undefined && !/^[\x21-\x7e]+$/.test(resendApiKey)) {
    throw new SettingError("RESEND_API_KEY", "must be one word, from Resend's dashboard");
  }
  return {
    resendApiKey,
    resendUrl: url("RESEND_BASE_URL", optional("RESEND_BASE_URL") ?? "https://api.resend.com"),
    from: address(
      "FROM_EMAIL",
      /^([^\s@<>,;]+@[^\s@<>,;]+|[^\p{Cc}<>]+ <[^\s@<>,;]+@[^\s@<>,;]+>)$/u,
      "TradeLine <hotline@example.com>",
    ),
    notifyTo: address("NOTIFY_TO", /^[^\s@<>,;]+@[^\s@<>,;]+$/, "office@example.com"),
    maxPerHour: wholeNumber(
      "MAX_MAILS_PER_HOUR",
      optional("MAX_MAILS_PER_HOUR"),
      200,
      10_000,
    ),
  };
}

function addresses(list: string): string[] {
  const entries = entriesOf(list);
  // A malformed list is reported here, so a deploy notices it before the functions fail to start.
  addressCheck(entries);
  return entries;
}

function origins(list: string): string[] {
  const entries = entriesOf(list);
  for (const entry of entries) {
    if (!URL.canParse(entry) || new URL(entry).origin !== entry) {
      throw new SettingError(
        "CONTACT_ALLOWED_ORIGINS",
        `must list origins such as https://www.example.com, separated by commas: "${entry}" is none`,
      );
    }
  }
  return entries;
}

function entriesOf(list: string): string[] {
  return list.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "");
}

function optionalUrl(name: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : url(name, value);
}

function url(name: string, value: string): string {
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (
    parsed === undefined || !["http:", "https:"].includes(parsed.protocol) || parsed.search ||
    parsed.hash
  ) {
    throw new SettingError(
      name,
      `must be an http(s) address without query or fragment: current value is "${value}"`,
    );
  }
  return value.replace(/\/+$/, "");
}
