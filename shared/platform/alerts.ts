/** Where faults are told that nobody is waiting for; the context of an invocation has it. */
export interface Alerts {
  error(...args: unknown[]): void;
}
