/** What this process has used since it began. */
export interface Usage {
  /** CPU time of all its threads, user and system. */
  readonly cpuMicroseconds: number;
  /** How long the main thread had something to do; it counts as busy also while another process has its core. */
  readonly busyMilliseconds: number;
}

export function readUsage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuMicroseconds: user + system, busyMilliseconds: performance.eventLoopUtilization().active };
}
