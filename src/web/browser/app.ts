import { localTimes } from './local-time.js';
import { themeButton } from './theme-button.js';

localTimes(document);
const button = document.querySelector<HTMLButtonElement>('#theme');
if (button !== null) themeButton(button);
