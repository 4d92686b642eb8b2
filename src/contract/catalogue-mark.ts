/** The catalogue of a release, in its directory and at a mirror's root. */
export const catalogueName = 'index.html';

/** What a catalogue of ours has in its head: another `index.html` is never written over. */
export const catalogueMark = '<meta name="generator" content="aircher-models">';
