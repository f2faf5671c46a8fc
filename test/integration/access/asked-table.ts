import { readFileSync } from 'node:fs';
import type { Verb } from '../../../shared/platform/http/index.ts';

export interface Ask {
  readonly verb: Verb;
  /** May hold `{name}`s. */
  readonly keys: string;
}

/** A row of docs/access-endpoints.md: a request, and what its caller has to be allowed. */
export interface AskedRow {
  readonly method: string;
  /** From the root on, with a query perhaps, and `{name}`s in both. */
  readonly path: string;
  readonly asks: 'nothing' | 'a known caller' | readonly Ask[];
}

const FILE = new URL('../../../docs/access-endpoints.md', import.meta.url);
const ROW = /^\| `([A-Z]+) (\/\S*)` \| (.+) \|$/;

/** What the documentation promises of every request, which is what the tests hold the endpoints to. */
export function readAskedRows(): AskedRow[] {
  return readFileSync(FILE, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, method = '', path = '', asks = ''] = ROW.exec(line) ?? [];
      return method === '' ? [] : [{ method, path, asks: parseAsks(asks) }];
    });
}

function parseAsks(text: string): AskedRow['asks'] {
  return text === 'nothing' || text === 'a known caller'
    ? text
    : text.split(', ').map((ask) => {
        const [, verb = '', keys = ''] = /^(\w+) `(.+)`$/.exec(ask) ?? [];
        return { verb: verb as Verb, keys };
      });
}
