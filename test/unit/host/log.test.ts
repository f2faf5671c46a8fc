import { expect, it } from 'vitest';
import { Log, type LogEntry } from '../../../infra/local/host/log.ts';

it('lets through what the longest matching category allows', () => {
  const entries: LogEntry[] = [];
  const log = new Log(
    { default: 'warning', Function: 'error', 'Function.chatty': 'debug', 'Host.Quiet': 'none' },
    (entry) => entries.push(entry),
  );
  log.write('information', 'Host.Startup', 'no');
  log.write('warning', 'Host.Startup', 'yes');
  log.write('warning', 'Function.work', 'no');
  log.write('error', 'Function.work.User', 'yes');
  log.write('debug', 'Function.chatty.User', 'yes');
  log.write('critical', 'Host.Quiet', 'no');
  log.write('none', 'Host.Startup', 'no');
  expect(entries.map(({ category }) => category)).toEqual([
    'Host.Startup',
    'Function.work.User',
    'Function.chatty.User',
  ]);
});
