import type { BundleDifference } from '../../bundles/bundle-version.ts';
import { formatBytes } from '../format-bytes.ts';
import { oneLine } from '../one-line.ts';
import type { Output } from '../output.ts';

/** What differs between two versions, as a person reads it. */
export function formatDifference(difference: BundleDifference, paint: Output['paint']): string {
  const { from, to, added, removed, changed } = difference;
  const lines = [
    ...removed.map(({ path, size }) => paint('red', `- ${oneLine(path)}  ${formatBytes(size)}`)),
    ...added.map(({ path, size }) => paint('green', `+ ${oneLine(path)}  ${formatBytes(size)}`)),
    ...changed.flatMap((file) => [
      paint(
        'bold',
        `~ ${oneLine(file.path)}  ${formatBytes(file.from.size)} -> ${formatBytes(file.to.size)}`,
      ) + (file.omitted === undefined ? '' : `  (${file.omitted})`),
      ...(file.diff === undefined ? [] : formatText(file.diff, paint)),
    ]),
  ];
  return lines.length === 0 ? `versions ${from} and ${to} have the same content` : lines.join('\n');
}

/** Only the parts that differ: the heading repeats what stands above. */
function formatText(diff: string, paint: Output['paint']): string[] {
  const lines = diff.split('\n');
  const begin = lines.findIndex((line) => line.startsWith('@@'));
  const shown = lines.slice(Math.max(0, begin));
  if (shown.at(-1) === '') shown.pop();
  return shown.map((line) => {
    // What stands in a file must not steer the terminal.
    const text = `  ${line.split('\t').map(oneLine).join('\t')}`;
    if (line.startsWith('@@')) return paint('cyan', text);
    if (line.startsWith('+')) return paint('green', text);
    return line.startsWith('-') ? paint('red', text) : text;
  });
}
