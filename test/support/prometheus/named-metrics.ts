import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** Names of metrics in a PromQL expression: ours, Temporal's, the process'. */
export function namesIn(expression: string): string[] {
  return [...expression.matchAll(/\b((?:holdfast|temporal|process|nodejs)_[a-z0-9_]+)\b/g)].map(
    ([, name = '']) => name,
  );
}

/** Every expression of a dashboard's panels and variables. */
export function expressionsOfDashboard(file: string): string[] {
  const expressions: string[] = [];
  JSON.parse(readFileSync(file, 'utf8'), (key, value: unknown) => {
    if ((key === 'expr' || (key === 'query' && String(value).startsWith('label_values'))) && typeof value === 'string')
      expressions.push(value);
    return value;
  });
  return expressions;
}

export function expressionsOfRules(file: string): string[] {
  const { groups } = parse(readFileSync(file, 'utf8')) as { groups: { rules: { expr: string }[] }[] };
  return groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
}
