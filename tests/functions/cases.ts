// Every webhook that Twilio calls, with what a real one holds: the table behind the tests that each must pass.

import type { Deps } from "../../supabase/functions/_shared/deps.ts";
import type { FunctionName } from "../../supabase/functions/_shared/functions.ts";
import type { Handler } from "../../supabase/functions/_shared/webhook.ts";
import { createHandler as voiceAction } from "../../supabase/functions/voice-action/handler.ts";
import { createHandler as voiceAgentAction } from "../../supabase/functions/voice-agent-action/handler.ts";
import { createHandler as voiceConsentSpeech } from "../../supabase/functions/voice-consent-speech/handler.ts";
import { createHandler as voiceFrontdoor } from "../../supabase/functions/voice-frontdoor/handler.ts";
import { createHandler as voiceMenuHandler } from "../../supabase/functions/voice-menu-handler/handler.ts";
import { createHandler as voiceOutbound } from "../../supabase/functions/voice-outbound/handler.ts";
import { createHandler as voicePerson } from "../../supabase/functions/voice-person/handler.ts";
import { createHandler as voiceQueue } from "../../supabase/functions/voice-queue/handler.ts";
import { createHandler as voiceRoute } from "../../supabase/functions/voice-route/handler.ts";
import { createHandler as voiceRouteAction } from "../../supabase/functions/voice-route-action/handler.ts";
import { createHandler as voiceStatus } from "../../supabase/functions/voice-status/handler.ts";
import { createHandler as voiceVoicemail } from "../../supabase/functions/voice-voicemail/handler.ts";
import { DISCLOSED } from "../support/expected.ts";
import {
  callReported,
  CHILD_SID,
  dialEnded,
  incomingCall,
  legReported,
  onTheLine,
  pressed,
  recordEnded,
  recordingReported,
  said,
  transcriptionReported,
} from "../support/webhook.ts";

export interface WebhookCase {
  readonly title: string;
  readonly name: FunctionName;
  readonly createHandler: (deps: Deps) => Handler;
  readonly params: Readonly<Record<string, string>>;
  readonly query: string;
}

/** A choice was made, and consent given, as the URL of a later step tells it. */
const AGREED = `turn=2&attempt=1&disclosed=${DISCLOSED}&consent=stayed-1&mode=sales-1`;

/** What a caller waits for. */
export const STEPS: readonly WebhookCase[] = [
  {
    title: "voice-frontdoor",
    name: "voice-frontdoor",
    createHandler: voiceFrontdoor,
    params: incomingCall,
    query: "",
  },
  {
    title: "voice-consent-speech",
    name: "voice-consent-speech",
    createHandler: voiceConsentSpeech,
    params: said("sales please"),
    query: `?turn=1&attempt=1&disclosed=${DISCLOSED}`,
  },
  {
    title: "voice-menu-handler",
    name: "voice-menu-handler",
    createHandler: voiceMenuHandler,
    params: pressed("2"),
    query: `?turn=2&attempt=1&disclosed=${DISCLOSED}&consent=stayed-1`,
  },
  {
    title: "voice-route",
    name: "voice-route",
    createHandler: voiceRoute,
    params: onTheLine,
    query: `?${AGREED}`,
  },
  {
    title: "voice-route-action",
    name: "voice-route-action",
    createHandler: voiceRouteAction,
    params: dialEnded("no-answer"),
    query: `?${AGREED}`,
  },
  {
    title: "voice-queue, the end of holding",
    name: "voice-queue",
    createHandler: voiceQueue,
    params: { ...onTheLine, QueueResult: "leave", QueueTime: "300" },
    query: `?event=left&${AGREED}&node=hold`,
  },
  {
    title: "voice-agent-action",
    name: "voice-agent-action",
    createHandler: voiceAgentAction,
    params: { ...onTheLine, SessionStatus: "failed", ErrorCode: "64102" },
    query: `?${AGREED}`,
  },
  {
    title: "voice-action",
    name: "voice-action",
    createHandler: voiceAction,
    params: pressed("0"),
    query: `?${AGREED}`,
  },
  {
    title: "voice-voicemail",
    name: "voice-voicemail",
    createHandler: voiceVoicemail,
    params: onTheLine,
    query: `?${AGREED}`,
  },
  {
    title: "voice-voicemail, message spoken",
    name: "voice-voicemail",
    createHandler: voiceVoicemail,
    params: recordEnded,
    query: `?event=recorded&${AGREED}`,
  },
];

const TOKEN = "0123abcd-0123-4567-89ab-0123456789ab";

/** The leg of a person who was dialled for a waiting caller: its events belong to that call. */
const voicePersonOf = (deps: Deps) =>
  voicePerson({ ...deps, dialling: { legTold: () => Promise.reject(new Error("not asked")) } });

/** The call of a campaign. */
const voiceOutboundOf = (deps: Deps) =>
  voiceOutbound({
    ...deps,
    dialling: { legTold: () => Promise.reject(new Error("not asked")) },
    twilio: undefined,
  });

/** What nobody waits for. */
export const CALLBACKS: readonly WebhookCase[] = [
  {
    title: "voice-voicemail, recording ready",
    name: "voice-voicemail",
    createHandler: voiceVoicemail,
    params: recordingReported,
    query: `?event=recording&${AGREED}`,
  },
  {
    title: "voice-voicemail, transcription ready",
    name: "voice-voicemail",
    createHandler: voiceVoicemail,
    params: transcriptionReported,
    query: `?event=transcription&${AGREED}`,
  },
  {
    title: "voice-status of the call",
    name: "voice-status",
    createHandler: voiceStatus,
    params: callReported("completed", { CallDuration: "42", Duration: "1" }),
    query: "",
  },
  {
    title: "voice-status of a dialled leg",
    name: "voice-status",
    createHandler: voiceStatus,
    params: legReported("completed", { CallDuration: "30", Duration: "1" }),
    query: `?${AGREED}`,
  },
  {
    title: "voice-person, status of the leg",
    name: "voice-person",
    createHandler: voicePersonOf,
    params: callReported("completed", { CallDuration: "42", Duration: "1" }),
    query: `?event=status&call=${CHILD_SID}&token=${TOKEN}&turn=0&attempt=1`,
  },
  {
    title: "voice-outbound, machine detection",
    name: "voice-outbound",
    createHandler: voiceOutboundOf,
    params: { ...onTheLine, Direction: "outbound-api", AnsweredBy: "machine_start" },
    query: `?event=amd&token=${TOKEN}&who=UHJhaXJpZQ&turn=0&attempt=1`,
  },
  {
    title: "voice-status of a conversation's recording",
    name: "voice-status",
    createHandler: voiceStatus,
    params: { ...recordingReported, RecordingSource: "DialVerb", RecordingChannels: "2" },
    query: `?${AGREED}`,
  },
];

/** What a caller who holds waits for. */
export const HOLDING: readonly WebhookCase[] = [
  {
    title: "voice-queue, what is heard",
    name: "voice-queue",
    createHandler: voiceQueue,
    params: { ...onTheLine, QueueTime: "12", QueuePosition: "2" },
    query: `?event=wait&${AGREED}&node=hold`,
  },
  {
    title: "voice-queue, a key",
    name: "voice-queue",
    createHandler: voiceQueue,
    params: { ...pressed("2"), QueueTime: "12" },
    query: `?event=key&${AGREED}&node=hold`,
  },
];

/** What one of the owner's people waits for, whose telephone rang. */
export const PERSONS: readonly WebhookCase[] = [
  {
    title: "voice-person, somebody answers",
    name: "voice-person",
    createHandler: voicePersonOf,
    params: { ...onTheLine, Direction: "outbound-api" },
    query: `?event=answered&call=${CHILD_SID}&token=${TOKEN}&turn=0&attempt=1`,
  },
  {
    title: "voice-person, 1 was pressed",
    name: "voice-person",
    createHandler: voicePersonOf,
    params: { ...pressed("1"), Direction: "outbound-api" },
    query: `?event=accept&call=${CHILD_SID}&token=${TOKEN}&turn=0&attempt=1`,
  },
];

/** What somebody hears whom a campaign calls. */
export const CALLED: readonly WebhookCase[] = [
  {
    title: "voice-outbound, somebody answers",
    name: "voice-outbound",
    createHandler: voiceOutboundOf,
    params: { ...onTheLine, Direction: "outbound-api" },
    query: `?event=answered&token=${TOKEN}&who=UHJhaXJpZQ&turn=0&attempt=1`,
  },
  {
    title: "voice-outbound, 9 was pressed",
    name: "voice-outbound",
    createHandler: voiceOutboundOf,
    params: { ...pressed("9"), Direction: "outbound-api" },
    query: `?event=begin&token=${TOKEN}&who=UHJhaXJpZQ&turn=1&attempt=1`,
  },
];

export const WEBHOOKS: readonly WebhookCase[] = [
  ...STEPS,
  ...HOLDING,
  ...PERSONS,
  ...CALLED,
  ...CALLBACKS,
];
