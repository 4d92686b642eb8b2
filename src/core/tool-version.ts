/** The version of both packages, which package.json has. */
export const toolVersion = '0.1.0';
