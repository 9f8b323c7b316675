const KEY = 'holdfast-theme';
const NEXT = { system: 'light', light: 'dark', dark: 'system' } as const;
type Choice = keyof typeof NEXT;
const SIGNS: Record<Choice, string> = { system: '◐', light: '☀', dark: '☾' };

/** The system's theme, light, dark, and around again. */
export function themeButton(button: HTMLButtonElement): void {
  button.hidden = false;
  show(chosen());
  button.addEventListener('click', () => {
    const choice = NEXT[chosen()];
    if (choice === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = choice;
    keep(choice);
    show(choice);
    document.dispatchEvent(new CustomEvent('themechange'));
  });

  function show(choice: Choice): void {
    button.textContent = SIGNS[choice];
    button.setAttribute('aria-label', `Theme: ${choice}. Change to ${NEXT[choice]}`);
    button.title = `Theme: ${choice}`;
  }
}

function chosen(): Choice {
  const theme = document.documentElement.dataset['theme'];
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

function keep(choice: Choice): void {
  try {
    if (choice === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
  } catch {
    // It holds for this page at least.
  }
}
