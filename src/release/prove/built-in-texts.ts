/**
 * Texts that models are tried on where release.json names none: each kind of text that a runtime
 * gets wrong has one. They are part of what is published: changed texts make other vectors.
 */
export const builtInTexts: Readonly<Record<string, string>> = {
  word: 'bank',
  short: 'A small dog runs along the beach.',
  question: 'How do I reset the password of my account?',
  sentence:
    'The committee postponed its decision on the new harbour bridge until the engineers have measured the wind again.',
  paragraph:
    'Bread dough rises because yeast turns sugar into gas. In a warm kitchen that takes an hour; in a refrigerator it takes a night, and the slow way gives more taste. Fold the dough twice, shape it without pressing out the air, and cut its surface before it goes into the oven, so that it opens where you want it to. Steam keeps the crust soft for the first minutes. A loaf is done when it sounds hollow, and it should cool for an hour before anybody cuts it.',
  // What a shorter token limit cuts off is about something else than what it leaves.
  long: [
    'The lighthouse stood on the last rock before the open sea. For ninety years a keeper had climbed its stairs each evening to light the lamp, and for ninety years ships had passed at a safe distance. When the lamp was made electric, the last keeper stayed on, first as a caretaker, then as a guide for the few visitors who came by boat in summer. He knew the name of every wreck within ten miles, and the year, and how many had been saved.',
    'A court that hears an appeal does not hear the case again. It looks at the record of the first trial and asks whether the law was applied as it should have been. New witnesses are rarely heard, and facts that were found stand unless they are plainly wrong. Who appeals must therefore show an error of law, and must show it within the time that the statute allows; a day too late is too late, whatever the merits of the claim may be.',
    'In a cell, instructions for proteins are copied from DNA to messenger RNA and read three letters at a time. Each triplet stands for one amino acid, and several triplets may stand for the same one, so that many changes of a single letter have no effect at all. Others change one acid for another, and a few end the chain early. Errors of copying are mended by enzymes that run along the strand and compare it with its partner.',
    'The striker received the ball with his back to the goal, turned on his left foot, and shot before the defender had understood what was going on. It was his third goal of the evening and the fourth for his team, which until the break had been the weaker side. The visitors had hit the post twice. Their coach, asked about it later, said that football was a cruel game, and that he would watch the second half again on his own.',
    'To prune an apple tree, wait for a dry day in late winter. Take out dead wood first, then branches that cross or grow towards the middle. Cut close to the collar, where the bark is wrinkled, and leave no stump. A tree that was neglected for years should not be brought into shape at once: a third of the work each winter is enough. Paint on the wounds does more harm than good, since it keeps the moisture in.',
    'Central banks raise interest rates when prices climb too fast. Loans become dearer, people buy and build less, and after a year or more the demand for goods no longer runs ahead of what can be made. The art lies in the delay. Whoever waits until the figures are beyond doubt acts too late; whoever acts at the first sign may choke a recovery. Minutes of such meetings are therefore read word by word by traders in every time zone.',
    'The satellite circles the Earth every ninety-six minutes, always crossing the equator at the same local time. Its orbit is tilted so that the bulge of the planet turns the plane of the orbit by about one degree a day, just enough to follow the Sun. Shadows in its pictures thus have the same length all year round, and a forest that was photographed in March can be compared with itself in March ten years later, tree by tree.',
    'She had learned the violin from her grandfather, who could not read music and taught her by singing each phrase until she had it. Later, at the conservatory, she was asked to unlearn the way she held the bow, and for a year nothing sounded right. What she kept from the first teacher was the patience to repeat four bars for an afternoon, and the habit of closing her eyes before the first note of a concert.',
    'When the printer reports that its queue is full, open the list of jobs and remove those that have been waiting for longer than a day. If the message stays, switch the device off, wait for half a minute, and switch it on again. Check that the cable is plugged into the port that the manual calls the upper one. Only then call the service desk, and have the serial number at hand; it stands on a label below the paper tray.',
  ].join('\n\n'),
  'lower-case': 'the last train to washington leaves the station at nine.',
  'upper-case': 'THE LAST TRAIN TO WASHINGTON LEAVES THE STATION AT NINE.',
  'mixed-case': 'The iPhone app of eBay was tested by NASA and McDonald’s, not by IBM.',
  accents: 'Le garçon naïf a mangé une crème brûlée à l’hôtel, près de la forêt où rêvait Zoë.',
  decomposed: 'Cafe\u0301 Nin\u0303o u\u0308ber A\u030angstro\u0308m',
  german: 'Größere Straßenbahnen fahren im Frühjahr wieder über die Brücke nach Köln.',
  russian: 'Сегодня утром в горах выпал первый снег, и дороги закрыты.',
  greek: 'Η θάλασσα ήταν ήρεμη και ο ουρανός καθαρός.',
  chinese: '昨天晚上我们在河边的一家小餐馆吃了鱼。',
  japanese: '駅前の図書館は月曜日に休みです。カフェは開いています。',
  arabic: 'سافر الطبيب إلى القرية ليعالج الأطفال المرضى.',
  hindi: 'बारिश के बाद खेतों में हरियाली छा गई।',
  emoji: 'Great news 🎉👍🏽 see you at the café ☕️ tonight 😊',
  code: 'def mean(xs: list[float]) -> float:\n    return sum(xs) / len(xs) if xs else 0.0\n',
  numbers: 'On 2024-02-29 the index fell by 3.14159 % to 12,345.67 points; 1e-9 of it is 0.000012.',
  punctuation: 'Wait -- what?! (See §4.2, "quoted" [sic]; https://example.com/a?b=c&d=%20#e ...)',
  empty: '',
  'white space': ' \t\n  ',
};

/** Those that are repeated with each of a model's prompts. */
export const promptedTexts: readonly string[] = ['short', 'question', 'sentence', 'upper-case'];
