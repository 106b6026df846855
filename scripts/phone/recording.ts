import { type Call, rfc2822 } from "./call.ts";
import { newSid, type Params } from "./signer.ts";
import { type RecordingCallback, type RecordingEvent, resolveUrl } from "./twiml.ts";

export interface RecordingSetup {
  readonly source: "DialVerb" | "RecordVerb";
  readonly channels: 1 | 2;
  /** The verb that asks for it, and the document that this verb is of. */
  readonly verb: RecordingCallback;
  readonly documentUrl: string;
}

/** A recording of the call, from now until it is finished, and the callbacks that report it. */
export class Recording {
  readonly sid = newSid("RE");
  readonly url: string;
  readonly #call: Call;
  readonly #setup: RecordingSetup;
  readonly #startedAt: Date;

  constructor(call: Call, setup: RecordingSetup) {
    const account = `https://api.twilio.com/2010-04-01/Accounts/${call.setup.accountSid}`;
    this.url = `${account}/Recordings/${this.sid}`;
    this.#call = call;
    this.#setup = setup;
    this.#startedAt = call.clock.now();
    this.#report("in-progress", {});
  }

  /** Seconds since it began. */
  get elapsed(): number {
    return this.#call.secondsSince(this.#startedAt);
  }

  /**
   * The recording's part of a recorded leg's `completed` callback: without RecordingStatus, as that is a callback of a
   * recording's own. Source: https://www.twilio.com/docs/voice/twiml/number#attributes-status-callback-event
   */
  get params(): Params {
    return {
      RecordingSid: this.sid,
      RecordingUrl: this.url,
      RecordingDuration: String(this.elapsed),
    };
  }

  /** @param seconds its length; of 0 nothing is kept */
  finish(seconds: number): void {
    this.#call.happens({ kind: "recorded", source: this.#setup.source, sid: this.sid, seconds });
    const params = { RecordingDuration: String(seconds) };
    if (seconds === 0) this.#report("absent", params);
    else this.#report("completed", params, 1000);
  }

  #report(event: RecordingEvent, params: Params, afterMs = 0): void {
    const { source, channels, verb, documentUrl } = this.#setup;
    const callback = verb.recordingStatusCallback;
    if (callback === undefined || !verb.recordingStatusCallbackEvents.includes(event)) return;
    this.#call.post({
      kind: "recording",
      url: resolveUrl(callback, documentUrl),
      method: verb.recordingStatusCallbackMethod,
      params: {
        AccountSid: this.#call.setup.accountSid,
        CallSid: this.#call.record.callSid,
        RecordingSid: this.sid,
        RecordingUrl: this.url,
        RecordingStatus: event,
        RecordingChannels: String(channels),
        RecordingSource: source,
        RecordingTrack: "both",
        RecordingStartTime: rfc2822(this.#startedAt),
        ErrorCode: "0",
        ...params,
      },
    }, afterMs);
  }
}
