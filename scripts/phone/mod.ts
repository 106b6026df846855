/**
 * A Twilio voice simulator: for scenario tests, the terminal phone, the web phone and load tests.
 *
 * @module
 */
export { type CallEvent, CallRecord, type CallStatus, type EndedBy } from "./call_record.ts";
export * from "./caller.ts";
export { CROWD, crowd } from "./crowd.ts";
export { type Clock, realClock, VirtualClock } from "./clock.ts";
export { type Allowance, Exchange } from "./exchange.ts";
export { APPLICATION_ERROR } from "./interpreter.ts";
export type { Delivery } from "./outbox.ts";
export { type Params, sign } from "./signer.ts";
export {
  type CallOptions,
  type PlacedCall,
  type RestCall,
  Simulator,
  type SimulatorOptions,
} from "./simulator.ts";
export { parseTwiml, TwimlError } from "./twiml.ts";
export { connectionOverrides, type Fetch, type Webhook, type WebhookKind } from "./webhook.ts";
