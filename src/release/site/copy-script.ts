/**
 * Gives each command a button that copies it. Without scripts there is no button, and the command
 * is read as it is. `navigator.clipboard` is there on secure pages alone: elsewhere the command is
 * selected, and copied as browsers did before.
 */
export const copyScript = `
for (const command of document.querySelectorAll('pre')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  button.setAttribute('aria-live', 'polite');
  button.addEventListener('click', async () => {
    let copied = true;
    try {
      await navigator.clipboard.writeText(command.textContent);
    } catch {
      getSelection().selectAllChildren(command);
      copied = document.execCommand('copy');
    }
    button.textContent = copied ? 'Copied' : 'Press Ctrl+C';
    setTimeout(() => (button.textContent = 'Copy'), 2000);
  });
  const both = document.createElement('div');
  both.className = 'copy';
  command.replaceWith(both);
  both.append(command, button);
}
`;
