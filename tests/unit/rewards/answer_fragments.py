"""Pieces that generated and hostile answers are made of."""

_LATEX = r"""
\ \\ \frac \frac{ \frac1 \sqrt \sqrt{ \text{ 1\text{a} \text{and} \mathrm{ \left( \right) \{ \} \{1, \pm \pm1, \cup \in
\le ^\circ ^{th} \% \$ \pi \infty \cdot \begin{pmatrix} \end{pmatrix} \boxed{ \boxed{} \approx \overline{ \mod
\, \! 1\, \ldots
"""
_PLAIN = r"""
{ } ( ) [ ] , ; < > = ^ _ $ % & | / + - * ! ~ : ' " 1 9 12 0.5 x y A (A) cm e5 10^ 1, 1/ 1+ (1, ((1,2), a= x=1, x<1 {1}
1,111 sqrt( ** ... and or to million the th kg
"""
FRAGMENTS = [
    *_LATEX.split(),
    *_PLAIN.split(),
    *(" ", "\n", "1 ", "1 a", "1 aa", "1 degrees", "1 and ", "x or ", "answer is "),
    *("\ud800", "\x00", "\N{ARABIC-INDIC DIGIT THREE}", "\N{SUPERSCRIPT TWO}", "\N{VULGAR FRACTION ONE HALF}"),
]
