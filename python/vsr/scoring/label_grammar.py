"""How responses name an option in words: the patterns, in English and the most common other languages.

The cues are for text in lower case, which Python's `re` searches five times as fast as with IGNORECASE; the labels are
for the text as it is.
"""

import re

# --- Labels -----------------------------------------------------------------------------------------------------------

# In brackets, or bare where it is no part of a word, a name, a formula or a grade.
_INSIDE = r"[(\[<]\s?(?P<inside>[A-Za-z0-9])(?:\s?[)\]>.]|$)"
_BARE = (
    r"(?P<bare>(?<![A-Za-zÀ-ɏ0-9_'.&\\/^-])[A-Za-z0-9](?![A-Za-zÀ-ɏ0-9_(&'#^\[\\]|[.,]\d|\s?[=+]|-[A-Za-z0-9]"
    r"|\.[A-Za-z](?![A-Za-z])))"
)
LABEL = f"(?:{_INSIDE}|{_BARE})"
_NAME = (
    r"(?:(?:the\s+)?(?:correct\s+|right\s+|best\s+)?(?:option|choice|answer|letter|alternative|statement|number|item|case)"
    r"(?:\s+(?:number|no\.))?"
    r"\s*[:#]?\s*)?"
)
_SURELY = (
    r"(?:(?:therefore|thus|hence|then|most|likely|probably|clearly|definitely|indeed|simply|actually|obviously|just"
    r"|certainly|still|now|also|instead|rather|in fact|of course|indicated by|represented by|given by|given in|found in"
    r"|described by|to be|as|to|only|exactly|about|approximately"
    r"|i (?:think|believe|guess|would say))\s*,?\s*){0,3}"
)
_OPEN = r"(?:[(\[](?=\s?(?:the\s)?(?:option|choice|answer)))?"
LABEL_HERE = re.compile(rf"[\s:,'\->→]{{0,8}}?{_OPEN}{_SURELY}{_NAME}{LABEL}", re.IGNORECASE)
LABEL_ANYWHERE = re.compile(LABEL)
LABEL_BEFORE = re.compile(rf"{LABEL}\s?(?:(?:选项|選項|项|が|은|는|이|가)\s?)?(?:(?:是|为)\s?)?$")
LABEL_IS = re.compile(rf"{LABEL}\s(?:is|est|es|ist|è|é|—|-)\s(?:la |die |das |a |o |une? )?$")
ONLY_A_LABEL = re.compile(
    rf"[\W_]{{0,20}}(?:(?:the\s+)?(?:option|choice|letter|answer)[\W_]{{0,5}})?{LABEL}[\W_]{{0,20}}", re.IGNORECASE
)
IN_BRACKETS = re.compile(
    r"(?<![A-Za-z0-9_)])[(\[]\s?(?:[Oo]ption\s|[Cc]hoice\s)?(?P<inside>[A-Z])\s?[)\]]"
    r"|(?:[Oo]ption|[Cc]hoice)\s(?P<bare>[A-Z])(?![A-Za-z0-9])"
)
ENDS_WITH_LABEL = re.compile(r"[(\[]?(?<![A-Za-z0-9])[A-Z][)\]]?,?\s?$")
LINE_LABEL = re.compile(
    r"^[ \t]*(?:(?:option|choice|letter|answer)[ \t]*)?"
    r"(?:[(\[<][ \t]?(?P<inside>[A-Za-z0-9])[ \t]?[)\]>]|(?P<bare>[A-Za-z0-9])(?![A-Za-zÀ-ɏ0-9_('&]))"
    r"(?P<mark>[ \t]*(?:[).:\]]|-(?=\s)|$|,?[ \t]+(?=(?:because|since|as|it is|for sure)(?![A-Za-z]))"
    r"|,[ \t]+(?=(?:with|given|based on|although|though|but)(?![A-Za-z]))|[ \t]+(?=[(→])))?"
    r"(?P<rest>[^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)

# --- Cues in front of a label, for lower case -------------------------------------------------------------------------

_QUALITY = (
    r"(?:correct|right|best|final|appropriate|accurate|closest|nearest|suitable|matching|likely|chosen|selected|my|true"
    r"|valid|proper|ideal|logical|reasonable|plausible|fitting|optimal|boxed)"
)
_THING = r"(?:option|choice|response|statement|alternative|selection|letter|match|one|pick|value|description)"
# "The only option that fits", "the choice that matches": what is meant follows the link.
_THAT_FITS = r"(?:only|one) (?:option|choice|answer|one|statement|alternative) (?:that|which) [a-z ]{1,40}?(?= is )"
ANSWER = re.compile(
    rf"(?<![a-z])(?:answer|ans|solution|closest|nearest|letter|guess|(?:correct|final)(?=:)|{_QUALITY}\s(?:{_QUALITY}\s)?{_THING}"
    rf"|{_THAT_FITS}|choice(?=:))(?![a-z])"
)
LINK = re.compile(
    r"(?<![a-z])(?:is|was|are|be|being|becomes|remains|falls under|corresponds to|matches|lies with)(?![a-z])"
    r"|'s(?=\s)|(?<=ans)\.|:|=>?|→|->|\||(?<=\s)-(?=\s)"
)
CHOICE = re.compile(
    r"(?<![a-z])(?:choose|chose|choosing|select|selected|pick|picked|go(?:ing)? (?:with|for)|went with|opt(?:ing)? for"
    r"|settle on|conclude(?: that(?: it is)?)?|vote for|answer with|say|guess|bet on|lean(?:ing)? towards?"
    r"|(?:i|i'll|i'd|will|would|let me|let's) answer)(?![a-z])"
)
CORRECTION = re.compile(
    r"(?<![a-z])(?:wait|actually|(?<![:)\]-]\s)no|sorry|correction|scratch that|on second thought|i meant?|hmm|oops"
    r"|instead|rather|(?:up)?on reflection|hold on|just kidding|my mistake|change my answer)(?![a-z])[\s,.:;!-]{0,5}"
    r"(?:(?:it|that|this|i|we|let me|should|make|is|be|say|choose|pick|to|change|go with|mean|must|my answer|actually"
    r"|wait|no|the (?:correct |right |final )?answer)(?:'s|'d|'ll)?[\s,]{1,3}){0,6}"
)
CONCLUSION = re.compile(
    r"(?<![a-z])(?:so|thus|therefore|hence|consequently|(?:it|this|that)(?: is|'s| must be| would be| has to be)"
    r"|which is|must be|has to be|corresponds? to|match(?:es|ing)?|points? to"
    r"|(?:leaves|leaving)(?: (?:us|me|only|just|one)){0,2}(?: with)?|left with|closest to"
    r"|definitely|probably|clearly|obviously|surely|certainly|i (?:think|believe|suspect)(?: it's| it is)?|namely"
    r"|i\.e\.|elimination|(?:we|this|that) (?:gets?|gives?|yields?)|giving|mak(?:es|ing)|described by|represented by"
    r"|consistent with|or)(?![a-z])[\s,:]{0,3}"
    r"|(?:opción|opcion|opzione|opção|letra|c'est|ich wähle|je choisis|elijo|escojo|scelgo|escolho|выбираю"
    r"|got(?:ta| to) be)\s"
    r"|but(?=\s[(\[]?[a-z][)\]]?\W{0,3}$)|→\s?|=>\s?|[,:=](?=\s?[(\[]?[a-z][)\]]?\W{0,3}$)"
)
# "would be B. Paris": a letter with its text behind it.
LABEL_WITH_TEXT = re.compile(r"(?<![a-z])(?:is|be|was)\s(?=[(\[]?[a-z][)\].:])")
FOREIGN_ANSWER = re.compile(
    r"答案|正确选项|正確選項|应选|應選|故选|所以选|我选|选择|選擇|选|選|答え|正解|정답|답|ответ|відповідь"
    r"|правильный вариант|верный вариант|\u0e04\u0e4d\u0e32\u0e15\u0e2d\u0e1a|जवाब|απάντηση|الإجابة|الجواب|उत्तर|תשובה"
    r"|đáp án"
)
LATIN_ANSWER = re.compile(
    r"(?<![a-zà-ɏ])(?:antwort|lösung|respuesta|opción correcta|réponse|risposta|resposta|alternativa correta|odpowiedź"
    r"|odpověď|odpoveď|odgovor|antwoord|svar(?:et)?|vastaus|cevap|yanıt|jawaban|răspuns(?:ul)?|válasz|sagot)(?![a-zà-ɏ])"
)
FOREIGN_LABEL = re.compile(rf"(?P<filler>[^.?!;\n()A-Z]{{0,60}}?)(?:{_INSIDE}|(?=[A-Z0-9]){_BARE})")

# --- Cues behind a label, for lower case ------------------------------------------------------------------------------

IS_CORRECT = re.compile(
    r"(?:\s(?:is|must be|would be|should be|has to be|seems|appears|looks|remains)|'s)\s(?P<how>(?:\w+\s){0,4}?)"
    r"(?:correct|right|accurate|answer|best|closest|better)(?:\s(?:answer|option|choice|one|fit))?(?![a-z])"
)
IS_THE_ANSWER = re.compile(r"answer|option|choice|the (?:only )?(?:correct|right|best)")
FOREIGN_IS_CORRECT = re.compile(
    r"正确|正確|正解|对的|最佳|정답|bonne réponse|réponse correcte|richtig|правильн|верн|corretta|correcta|corret[oa]"
)
RATHER_THAN = re.compile(
    r",?\s(?:and\s)?(?:not|rather than|instead of)\s(?:option\s|choice\s)?[(\[]?(?P<denied>[a-z])[)\]]?(?![a-z0-9'])"
)
BUT = re.compile(
    r"(?<![a-z])(?:not|isn't|nor)\s(?:option\s|choice\s)?[(\[]?(?P<denied>[a-z])[)\]]?\s?[,;-]?\s?"
    r"(?:but|it's|it is|rather|instead)[\s,]{1,3}(?:rather\s|it's\s|it is\s)?"
)
NO_ANSWER = re.compile(
    r"(?<![a-z])(?:answer|option|choice)\s(?:is|are|was)\s(?:not|n't)\s(?:\w+\s)?(?:among|listed|provided|given"
    r"|in the|present|available|here)"
    r"|(?:answer|it|this)\s(?:cannot|can't|can not|could not)\sbe\s(?:\w+\s)?(?:determined|found|answered|calculated)"
)

# --- Context ----------------------------------------------------------------------------------------------------------

TICKS = ("✅", "✓", "✔", "☑")
MARKED_RIGHT = re.compile(
    r"(?:^|[\s(:,-])(?:correct|right|[✅✓✔☑])(?:\s(?:answer|option|choice))?\W*$|^\W*(?:yes|true)\W*$"
)
SENTENCE_END = re.compile(r"[.?!;](?=\s|$)|\n")
CLAUSE_END = re.compile(
    r"\s{0,3}(?:[.,;:!)\]\n|-]|$|(?:because|since|as)(?![a-z])|[^\x00-\x7f]"
    r"|(?:is )?(?:the )?(?:only )?(?:correct|right|best|answer)(?![a-z]))"
)
# Between "answer" and "is": then it is not said which one is the answer.
NO_FILLER = re.compile(
    r"(?<![a-z])(?:not|never|if|depend\w*|unless|cannot|could|might|may|incorrect|wrong|choices|options|explanation)(?![a-z])|n't"
)
NOT_REALLY = re.compile(r"(?<![a-z])(?:not|never|in|partially|partly|no|if|hardly)(?![a-z])|n't")
ONLY_SOMETIMES = re.compile(
    r"[\s,]{0,3}(?:only|if|when|unless|but|except|in that|about|to some|for(?! this)|under)(?![a-z])"
)
FOREIGN_NOT = re.compile(
    r"不|没|沒|错|誤|ない|아니|ليس|नहीं|(?<![a-zà-ɏ])(?:nicht|kein|no|pas|non|não|nie|ikke|inte|не|tidak|değil)(?![a-zà-ɏ])"
)
# Said before a statement: then it is no statement.
DENIED_BEFORE = re.compile(
    r"(?:(?<![a-z])(?:if|whether|suppose|supposing|assum\w+|unless|not|never|cannot|nor|neither|rules? out|ruling out"
    r"|ruled out|eliminat\w+|exclud\w+|except|incorrect|wrong|initially|originally|at first|please|should i"
    r"|would you|do you|must i|do i|can i|tempt\w+|(?:might|may|could|would|some|many|people|students?|others)"
    r" (?:say|think|guess|believe|assume|expect|conclude|argue|choose|pick|select|answer))|n't)(?![a-z])[^,:]{0,60}$"
)
# After one of these words a denial before it no longer counts.
RESET = re.compile(r"(?<![a-z])(?:but|however|so|therefore|thus|hence|then|and|because|since|as|yet)(?![a-z])")
DENIED_AFTER = re.compile(
    r"[\s'*:,)\]-]{0,3}(?:(?:is|was|are|were|would be|can be|seems|looks|it is|choice is|option is)\s(?:\w+\s){0,2}?"
    r"(?:not|wrong|incorrect|false|invalid|eliminated|ruled)(?![a-z])"
    r"|(?:isn't|wasn't|can't|cannot|doesn't|does not|aren't)(?![a-z])"
    r"|(?:选项|項|项)?\s?(?:是)?(?:不|错|誤))|[)\]]?\s(?:не|nicht|no es)\s"
)
QUESTION = re.compile(r"[^.!;\n?]{0,40}\?")
ONLY_LOOKED_AT = re.compile(r"(?<![a-z])(?:consider|look at|examine|evaluate|discuss|if|whether)(?![a-z])")
COPULA = re.compile(r"(?<![a-z])(?:is|are|be|was)\s$")
VERB_FIRST = re.compile(
    r"\s?(?:is|was|seems|looks|can|could|would|has|says|states|refers|might|may|does|isn't|and|or|describes|represents"
    r"|means|gives|implies|involves)(?![a-z])"
)
ALSO = re.compile(
    r"\s?(?:,\s?(?:and|or)?|and/or|and|or|&|/|\+|y|und|et|e|oder|ou|o|和|或|、|及|と|과|와|및)\s?(?:option\s|choice\s)?"
    r"(?:[(\[](?P<inside>[A-Za-z])[)\]]|(?P<bare>[A-Za-z])(?![A-Za-zÀ-ɏ0-9_('=]))(?:\s(?P<after>[A-Za-z']+))?"
)
ALSO_AFTER_TEXT = re.compile(
    r"[.):]\s[^.\n;]{1,80}?\s(?:or|and)\s(?:option\s|choice\s)?[(\[]?(?P<other>[A-Z])[.):\]]\s"
)
ENDS_WITH_ALSO = re.compile(r"^\s?(?:,?\s?(?:and|or)|&|/)\s?(?:option\s|choice\s)?$")
FOLLOWING_WORD = re.compile(r"[ \t]+([A-Za-zÀ-ɏ']+)")
VERB = re.compile(
    r"is|being|isn't|was|has|had|does|doesn't|can|can't|would|could|says|states|refers|describes|means|seems|looks|wrong"
    r"|incorrect|because|since|am"
)
# What may follow a bare A or I, or a bare letter in lower case, that is a label and no word.
CONNECTIVE = re.compile(
    r"because|since|as|which|for|with|due|and|or|is|was|would|given|based|on|here|in|by|from|if|so|not|but|rather|though"
    r"|although|where|when|that|instead|per|according|however|therefore|thus|hence|of|at|via|weil|porque|car"
)
