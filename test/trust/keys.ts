/**
 * Keys and signatures that the program minisign 0.11 made for these tests; they protect nothing.
 */

export const plainSecretKey = `untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAALnAVzTwrQhBuU8WqMhFF/PlYFz0KjdSekrki+HG2xJydKE4oYPZancZksc06PRTJi5wwxb7UvJoIe6Ew0BmSSlgGyWI1cFgbAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
`;
export const plainPublicKey = 'RWQucBXNPCtCEMZksc06PRTJi5wwxb7UvJoIe6Ew0BmSSlgGyWI1cFgb';
export const plainKeyId = '10422B3CCD15702E';

/** Its password is `pw`. */
export const encryptedSecretKey = `untrusted comment: minisign encrypted secret key
RWRTY0Iy1nmHcNq+boI0Yug1tSyMdSUQPeO+Z7rlCJ5FylG0NP0AAAACAAAAAAAAAEAAAAAAHkEtDUvLqFhVww5kAk+kmSpIRZpsTOD230Kc6EP0bMHmkLleH+mO6nfX0RCwmqZv8Zw5Nbx8mSal75K5647dV6PLpgVp5fKsakcjsAsloQgBNPOr5oKnuVLJ0vmEqD23FA2i2mVj+Z0=
`;
export const encryptedPublicKey = 'RWRpQpLj94KtM6h/SiD5+Rhe/luEioGlFZ7tGvH1PfCM629Dv6sCNk3D';

export const message = Buffer.from('a manifest\n');
export const trustedComment = 'file:manifest.json\trelease:models-v1.0.0';

/** By the plain key over `message`. */
export const prehashedSignature = `untrusted comment: signature from minisign secret key
RUQucBXNPCtCELrI0/HEdUWq/kk1kF4+jeLDJUWR0A94X5kk6L4Fkj41hUDwpukBVE6JQFUJml2IgWNySW9/ZaMx8vJp+tALMg0=
trusted comment: file:manifest.json\trelease:models-v1.0.0
51UOeJoSVtBgKGLcwFV15XoUFCXic5WK5AUFZLS6SGL4UFOpuTbeiWW7xi9xfsfREDke7E5qRApS+DtyXBD3AA==
`;
export const legacySignature = `untrusted comment: signature from minisign secret key
RWQucBXNPCtCEHxjqMqsDmIjHnA6KInEYJtYtzCUuYxjuZ/rvkJ/cD39boKpgezbfTw1t5N9FDLnLBNTuUTi+IJiCecb5rbgHQQ=
trusted comment: file:manifest.json\trelease:models-v1.0.0
v9+tTm5y0bKc/B5HaHzsp9EAqVgR2eNfeE7kejUDTplo27JS35NqyC4VrfguPLNc1mSnajN/MvTjqeLNPmd5BQ==
`;
