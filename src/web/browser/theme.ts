/** Runs before the page is drawn, so that a chosen theme does not come after the other one. */
const THEME_KEY = 'holdfast-theme';

try {
  const chosen = localStorage.getItem(THEME_KEY);
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset['theme'] = chosen;
} catch {
  // No storage for this page: the system's choice stands.
}

export {};
