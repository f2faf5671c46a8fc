import { readdirSync, readFileSync } from 'node:fs';

/** A kernel clock tick, in microseconds (USER_HZ is 100 on every Linux). */
const TICK_MICROSECONDS = 10_000;

/** CPU time that a process has used so far, user and system, in microseconds. */
export function cpuMicroseconds(pid: number): number {
  const [, , ...fields] = splitStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS;
}

/** The children of a process whose command line holds `text`. */
export function findChild(parent: number, text: string): number {
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, , , parentPid] = splitStat(readFileSync(`/proc/${entry}/stat`, 'utf8'));
      if (Number(parentPid) === parent && readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes(text)) {
        return Number(entry);
      }
    } catch {
      // The process ended while it was looked at.
    }
  }
  throw new Error(`Process ${parent} has no child that runs ${text}.`);
}

/** The fields of /proc/PID/stat; the second, the command, may hold blanks and brackets. */
function splitStat(stat: string): string[] {
  const end = stat.lastIndexOf(')');
  return [
    stat.slice(0, stat.indexOf(' ')),
    stat.slice(stat.indexOf('('), end + 1),
    ...stat
      .slice(end + 2)
      .trim()
      .split(' '),
  ];
}
