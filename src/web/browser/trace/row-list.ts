import { createRow, type RowFacts } from './row-element.js';

/** The rows in sight. A row that has not changed stays the element that it was, so a selection or the focus in it stays too. */
export interface RowList {
  show(rows: readonly RowFacts[]): void;
}

export function createRowList(parent: HTMLElement): RowList {
  let shown = new Map<number, { facts: RowFacts; element: HTMLElement }>();
  return {
    show(rows) {
      const next = new Map(
        rows.map((facts) => {
          const known = shown.get(facts.line);
          const element = known !== undefined && isSame(known.facts, facts) ? known.element : createRow(facts);
          return [facts.line, { facts, element }] as const;
        }),
      );
      const focused = placeOfFocus();
      for (const { element } of shown.values()) if (!hasElement(next, element)) element.remove();
      let place = parent.firstChild;
      for (const { element } of next.values()) {
        if (element === place) place = place.nextSibling;
        else parent.insertBefore(element, place);
      }
      shown = next;
      if (focused !== undefined && !parent.contains(document.activeElement))
        parent.querySelector<HTMLElement>(focused)?.focus({ preventScroll: true });
    },
  };

  /** Where a row that is made anew has what now has the focus. */
  function placeOfFocus(): string | undefined {
    const active = document.activeElement;
    const line = active?.closest<HTMLElement>('.row')?.dataset['line'];
    return active === null || line === undefined || !parent.contains(active)
      ? undefined
      : `.row[data-line="${line}"] .${active.className}`;
  }

  function hasElement(next: Map<number, { element: HTMLElement; facts: RowFacts }>, element: HTMLElement): boolean {
    const line = Number(element.dataset['line']);
    return next.get(line)?.element === element;
  }
}

function isSame(a: RowFacts, b: RowFacts): boolean {
  return (
    a.content === b.content &&
    a.marked === b.marked &&
    a.hit === b.hit &&
    a.section?.open === b.section?.open &&
    a.section?.seconds === b.section?.seconds
  );
}
