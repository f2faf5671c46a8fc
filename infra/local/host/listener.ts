/** What fires functions other than HTTP ones. */
export interface Listener {
  /**
   * Starts listening until `signal` aborts; what runs then goes on. A service that cannot be reached is no error: the
   * listener goes on trying.
   *
   * @throws Error if what the trigger names does not exist.
   */
  start(signal: AbortSignal): Promise<void>;
  /** Lets go of connections, once nothing runs any more. */
  close(): Promise<void>;
}
