/**
 * One of several by chance, each as likely as its weight says; never one that weighs nothing.
 *
 * @param random in [0, 1).
 */
export function weightedPick<Item extends { readonly weight: number }>(
  items: readonly Item[],
  random: number,
): Item | undefined {
  const heavy = items.filter(({ weight }) => weight > 0);
  const total = heavy.reduce((sum, { weight }) => sum + weight, 0);
  let left = random * total;
  return heavy.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
}
