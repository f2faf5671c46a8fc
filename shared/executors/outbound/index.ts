/** The way out that executors share. */
export { type Answer, failureOf, isPassingStatus, isSuccess, parse, readBody, sentenceIn } from './answer.ts';
export { Outbound, type OutboundCall, type OutboundOptions, originOf } from './outbound.ts';
