"""How patients say what they know: the wordings that `narrative.py` draws from. Data only.

Every wording states one fact and no disease. The first plain wording of a fact is the sentence that the
symptom form writes. Held-out wordings are never trained on: they tell reading from memorising.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wordings:
    """One fact in three voices: plain and wordy are sentences, terse are fragments without full stop."""

    plain: tuple[str, ...]
    terse: tuple[str, ...]
    wordy: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def training(self) -> tuple[str, ...]:
        return self.plain + self.terse + self.wordy


@dataclass(frozen=True)
class Site:
    """Names of one body site: nouns follow "my", places are whole phrases."""

    nouns: tuple[str, ...]
    places: tuple[str, ...]
    held_out_places: tuple[str, ...]


@dataclass(frozen=True)
class Phrases:
    """One symptom as a part of a list."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]


# {age} in digits, {words} in words, {ordinal} as in "62nd", {a} the article that the digits take.
AGE = Wordings(
    plain=(
        "I am {age} years old.",
        "I am {age}.",
        "I'm {age} years old.",
        "I turned {age} this year.",
        "My age is {age}.",
        "I'm {words} years old.",
        "I am {words}.",
    ),
    terse=("{age} years old", "{age} yo", "age {age}", "age: {age}", "{age} y/o", "{age} yrs"),
    wordy=(
        "I am {a} {age}-year-old patient.",
        "I have just turned {age}, if that helps.",
        "In case you need my age, I am {age}.",
        "My last birthday was my {ordinal}.",
        "I am {words} years old now, time flies.",
    ),
    held_out=(
        "My age? {age}.",
        "I've reached the age of {age}.",
        "You have {a} {age}-year-old in front of you.",
        "I celebrated my {ordinal} birthday not long ago.",
        "I have {words} years behind me.",
    ),
)

# {place} is a whole phrase ("on my nose"), {noun} one word for the site ("nose").
SITE = Wordings(
    plain=(
        "It is {place}.",
        "The spot is {place}.",
        "I noticed something {place}.",
        "I have a spot {place}.",
        "There is something {place}.",
        "I found it {place}.",
        "I've got this thing {place}.",
    ),
    terse=("{noun}", "{place}", "site: {noun}", "spot {place}", "location: {noun}", "where: {place}"),
    wordy=(
        "I came because of something that I have {place}.",
        "The thing I want you to look at is {place}.",
        "If you look {place}, you will see what I mean.",
        "The photo shows what I have {place}.",
    ),
    held_out=(
        "You'll find it {place}.",
        "This concerns an area of skin {place}.",
        "What brings me here sits {place}.",
        "It showed up {place}.",
    ),
)

AGE_AND_SITE = Wordings(
    plain=(
        "I'm {age} and it's {place}.",
        "I am {age} years old and have something {place}.",
        "At {age}, I have a spot {place}.",
        "I am {words} and noticed something {place}.",
    ),
    terse=("{age} yo, {noun}", "{age}, spot {place}", "age {age}, {noun}", "{age} years, {place}"),
    wordy=(
        "I am {a} {age}-year-old who has noticed something {place}.",
        "I am {age} years old, and what I want to show you is {place}.",
    ),
    held_out=(
        "Aged {age}, I came across this {place}.",
        "I'm {age}, and the trouble is {place}.",
        "At the age of {words} I discovered it {place}.",
    ),
)

# From head to foot: the order of the app's form.
SITES = {
    "SCALP": Site(
        nouns=("scalp",),
        places=(
            "on the top of my head",
            "on the crown of my head",
            "on the back of my head",
            "under my hair",
            "in the hairy part of my head",
        ),
        held_out_places=(
            "on my head, where I part my hair",
            "on the bald part of my head",
            "beneath my hair",
        ),
    ),
    "FACE": Site(
        nouns=("face", "cheek", "left cheek", "right cheek", "forehead", "chin", "temple"),
        places=("below my eye", "on the side of my face", "near my eyebrow", "next to my mouth"),
        held_out_places=(
            "on my jaw",
            "beside my left eye",
            "on my cheekbone",
            "on the right half of my face",
        ),
    ),
    "EAR": Site(
        nouns=("ear", "left ear", "right ear", "earlobe"),
        places=("behind my ear", "on the rim of my ear", "on the edge of my ear"),
        held_out_places=("at the top of my right ear", "on the lobe of my ear", "on the shell of my ear"),
    ),
    "NOSE": Site(
        nouns=("nose",),
        places=(
            "on the tip of my nose",
            "on the bridge of my nose",
            "on the side of my nose",
            "on the left side of my nose",
            "next to my nostril",
        ),
        held_out_places=("right at the end of my nose", "on the wing of my nose", "just above my nostrils"),
    ),
    "LIP": Site(
        nouns=("lip", "lower lip", "upper lip"),
        places=("at the edge of my lip", "on the border of my lip", "in the middle of my lower lip"),
        held_out_places=("on my bottom lip", "on my top lip", "on the red part of my lips"),
    ),
    "NECK": Site(
        nouns=("neck", "throat", "nape"),
        places=("on the side of my neck", "on the back of my neck", "on the right side of my neck"),
        held_out_places=("on the front of my neck", "where the collar rubs my neck", "over my throat"),
    ),
    "CHEST": Site(
        nouns=("chest", "breastbone", "breast"),
        places=("in the middle of my chest", "on the upper part of my chest", "below my collarbone"),
        held_out_places=("over my sternum", "on the left side of my chest", "just above my breast"),
    ),
    "ABDOMEN": Site(
        nouns=("belly", "abdomen", "stomach", "tummy"),
        places=("near my navel", "next to my belly button", "on the side of my belly"),
        held_out_places=("on my lower abdomen", "above my navel", "to the left of my belly button"),
    ),
    "BACK": Site(
        nouns=("back", "lower back", "upper back", "shoulder blade"),
        places=("between my shoulder blades", "in the middle of my back", "along my spine"),
        held_out_places=("over my spine", "in the small of my back", "on my back, where I can't see it"),
    ),
    "ARM": Site(
        nouns=("arm", "upper arm", "left arm", "right arm", "left upper arm"),
        places=("on the outside of my upper arm", "above my elbow", "on the back of my arm"),
        held_out_places=(
            "between my shoulder and my elbow",
            "on the inside of my upper arm",
            "over my biceps",
        ),
    ),
    "FOREARM": Site(
        nouns=("forearm", "lower arm", "left forearm", "right forearm"),
        places=("between my wrist and my elbow", "just below my elbow", "on the inside of my forearm"),
        held_out_places=(
            "on the underside of my forearm",
            "halfway from my elbow to my wrist",
            "on the outer side of my lower arm",
        ),
    ),
    "HAND": Site(
        nouns=("hand", "left hand", "right hand", "finger", "thumb", "palm"),
        places=("on the back of my hand", "between my fingers", "on one of my knuckles"),
        held_out_places=("on my index finger", "on top of my hand", "in the palm of my right hand"),
    ),
    "THIGH": Site(
        nouns=("thigh", "upper leg", "left thigh", "right thigh"),
        places=("above my knee", "on the inside of my thigh", "on the back of my thigh"),
        held_out_places=(
            "between my hip and my knee",
            "on the outer side of my thigh",
            "on the front of my upper leg",
        ),
    ),
    "FOOT": Site(
        nouns=("foot", "left foot", "right foot", "toe", "big toe", "heel"),
        places=("on the sole of my foot", "between my toes", "on the top of my foot"),
        held_out_places=("under my foot", "on my little toe", "on the arch of my foot"),
    ),
}

# Symptom -> answer -> wordings.
SYMPTOMS = {
    "itch": {
        "yes": Wordings(
            plain=(
                "It itches.",
                "It keeps itching.",
                "The spot is itchy.",
                "I feel an itch there.",
                "It itches quite a lot.",
                "I often have to scratch it.",
            ),
            terse=("itches", "itchy", "itching: yes", "itches sometimes", "some itching", "itch? yes"),
            wordy=(
                "What bothers me most is that it keeps itching, especially in bed.",
                "I catch myself scratching it because of the itch.",
                "There is an itch that comes and goes all day.",
                "The itching drives me mad at times.",
            ),
            held_out=(
                "I can't leave it alone, I rub and scratch all day.",
                "The itchiness wakes me up.",
                "Does it itch? Oh yes.",
                "Itchiness present.",
                "It tickles and makes me want to scratch.",
            ),
        ),
        "no": Wordings(
            plain=(
                "It doesn't itch.",
                "It does not itch.",
                "It has never itched.",
                "There is no itching.",
                "It isn't itchy.",
                "I feel no itch there.",
            ),
            terse=("no itching", "itching? no", "not itchy", "no itch at all", "itch: no", "never itches"),
            wordy=(
                "As for itching, I haven't had any.",
                "I never feel the need to scratch it.",
                "People ask me whether it itches, and it really doesn't.",
                "It could well itch, I suppose, but so far it hasn't.",
            ),
            held_out=(
                "Not once have I had to scratch it.",
                "I can't complain about any itchiness.",
                "Does it itch? Not in the least.",
                "It is free of any itch.",
                "Itchiness absent.",
            ),
        ),
        "unknown": Wordings(
            plain=(
                "I don't know whether it itches.",
                "I am not sure if it itches.",
                "I can't say whether it itches.",
                "I don't remember if it itched.",
                "I have not paid attention to whether it itches.",
            ),
            terse=(
                "itching: don't know",
                "not sure about itching",
                "itch? no idea",
                "can't tell if it itches",
                "itching unclear",
            ),
            wordy=(
                "Maybe it itches, maybe it doesn't, I couldn't tell you.",
                "You ask about itching, and I honestly don't know.",
                "I have thought about it and still can't say if it itches.",
            ),
            held_out=(
                "Does it itch? Your guess is as good as mine.",
                "I couldn't swear to itching one way or the other.",
                "Ask me about an itch and I must pass.",
                "I haven't got a clue if there is any itchiness.",
                "Itchiness uncertain.",
            ),
        ),
    },
    "grew": {
        "yes": Wordings(
            plain=(
                "It has got bigger.",
                "It has grown.",
                "It is growing.",
                "It keeps getting bigger.",
                "It used to be smaller.",
                "The spot has increased in size.",
            ),
            terse=(
                "growing",
                "getting bigger",
                "has grown",
                "bigger than before",
                "growth: yes",
                "grew? yes",
            ),
            wordy=(
                "It started out tiny and has become larger since.",
                "Every time I look at it, it seems to have grown a little.",
                "It takes up more room now than when I first saw it.",
                "My family agrees with me that it has got bigger.",
            ),
            held_out=(
                "In size it is no longer what it was, it has expanded.",
                "It spreads out wider and wider.",
                "A while ago it was only half as large.",
                "Did it grow? It certainly did.",
                "Enlargement present.",
            ),
        ),
        "no": Wordings(
            plain=(
                "It has not got bigger.",
                "It hasn't grown.",
                "It is not growing.",
                "It has stayed the same size.",
                "It never got any bigger.",
                "Its size has not increased.",
            ),
            terse=("not growing", "no growth", "same size", "grew? no", "not getting bigger", "growth: no"),
            wordy=(
                "I have kept an eye on its size, and it hasn't grown.",
                "It is as small as it was when I first saw it.",
                "I was told to watch if it gets bigger, but it didn't.",
                "As far as size goes, it takes up no more room than before.",
            ),
            held_out=(
                "It is no larger than it used to be.",
                "Did it grow? Not a bit.",
                "The size is what it always was.",
                "It has failed to expand.",
                "Enlargement absent.",
            ),
        ),
        "unknown": Wordings(
            plain=(
                "I don't know whether it has got bigger.",
                "I am not sure whether it has grown.",
                "I can't say if it is growing.",
                "I don't remember how big it was before.",
                "I never checked if it got bigger.",
            ),
            terse=(
                "growth: don't know",
                "not sure if it grew",
                "bigger? no idea",
                "can't tell if it is growing",
                "growth unclear",
            ),
            wordy=(
                "Maybe it has grown, maybe not, I never measured it.",
                "You ask if it is bigger than before, and I honestly don't know.",
                "I look at it too rarely to tell you if it has grown.",
            ),
            held_out=(
                "Did it grow? I haven't the faintest.",
                "Its former size escapes me, so I cannot compare.",
                "I couldn't swear that it is larger, nor that it isn't.",
                "Whether it expands is more than I can tell.",
                "Enlargement uncertain.",
            ),
        ),
    },
    "hurt": {
        "yes": Wordings(
            plain=(
                "It hurts.",
                "It is painful.",
                "It is sore.",
                "I feel pain there.",
                "It hurts when I touch it.",
                "The spot is tender.",
            ),
            terse=("hurts", "painful", "pain: yes", "sore to touch", "some pain", "hurts? yes"),
            wordy=(
                "It gives me pain, above all when something rubs against it.",
                "What troubles me is that it hurts when I lie on it.",
                "There is a soreness that I feel every day.",
                "I would not call it terrible, but it does hurt.",
            ),
            held_out=(
                "It aches.",
                "I wince whenever I press on it.",
                "Does it hurt? I'm afraid so.",
                "A stinging pain comes from it.",
                "Soreness present.",
            ),
        ),
        "no": Wordings(
            plain=(
                "It doesn't hurt.",
                "It does not hurt.",
                "It is not painful.",
                "I have no pain there.",
                "It has never hurt.",
                "It isn't sore.",
            ),
            terse=("no pain", "painless", "pain? no", "doesn't hurt at all", "not sore", "pain: no"),
            wordy=(
                "I can press on it and feel no pain.",
                "As for pain, I haven't had any.",
                "You would think that it hurts, but it doesn't.",
                "It has never been sore, not even when I touch it.",
            ),
            held_out=(
                "Does it hurt? No, never.",
                "It causes me no ache whatsoever.",
                "I can poke at it without wincing.",
                "Nothing about it is tender.",
                "Soreness absent.",
            ),
        ),
        "unknown": Wordings(
            plain=(
                "I don't know whether it hurts.",
                "I am not sure if it is painful.",
                "I can't say whether it hurts.",
                "I don't remember if it hurt.",
                "I have not noticed whether it is sore or not.",
            ),
            terse=(
                "pain: don't know",
                "not sure about pain",
                "hurts? no idea",
                "can't tell if it hurts",
                "pain unclear",
            ),
            wordy=(
                "Maybe it hurts a little, maybe not, I couldn't tell you.",
                "You ask about pain, and I honestly don't know.",
                "I find it hard to say if what I feel there is pain.",
            ),
            held_out=(
                "Does it hurt? I wouldn't know.",
                "I couldn't swear to any ache, nor rule it out.",
                "On the question of soreness I must pass.",
                "I haven't got a clue if it is tender.",
                "Soreness uncertain.",
            ),
        ),
    },
    "changed": {
        "yes": Wordings(
            plain=(
                "It has changed in colour or shape.",
                "It has changed its look.",
                "It looks different from before.",
                "Its appearance has changed.",
                "Its colour is not the same as before.",
                "Its shape has changed.",
            ),
            terse=(
                "changed in look",
                "looks different now",
                "change in appearance: yes",
                "different colour now",
                "changed? yes",
                "has a new shape",
            ),
            wordy=(
                "When I compare it with old pictures, its colour has changed.",
                "What made me come is that it no longer looks as it did.",
                "Its outline is not the one that I remember.",
                "Others tell me too that its look has changed.",
            ),
            held_out=(
                "I hardly recognise it, it used to look otherwise.",
                "Has its look altered? Definitely.",
                "It took on another shade.",
                "Altered look present.",
                "The form and tint are not what they were.",
            ),
        ),
        "no": Wordings(
            plain=(
                "It has not changed in colour or shape.",
                "It hasn't changed its look.",
                "It looks just as it did before.",
                "Its appearance has not changed.",
                "Its colour and shape have stayed the same.",
                "It doesn't look any different from before.",
            ),
            terse=(
                "no change in look",
                "looks the same",
                "change in appearance: no",
                "same colour and shape",
                "changed? no",
                "no new colour",
            ),
            wordy=(
                "When I compare it with old pictures, its colour and shape are the same.",
                "I was told to watch for changes in its look, and there were none.",
                "In all this time its appearance hasn't changed.",
                "It still has the colour that it always had.",
            ),
            held_out=(
                "Has its look altered? No, not at all.",
                "Its shade and outline are what they always were.",
                "To the eye it is just as on the first day.",
                "Neither tint nor form is any different.",
                "Altered look absent.",
            ),
        ),
        "unknown": Wordings(
            plain=(
                "I don't know whether it has changed in colour or shape.",
                "I am not sure if its look has changed.",
                "I can't say whether it looks different from before.",
                "I don't remember what it looked like before.",
                "I never checked if its colour changed.",
            ),
            terse=(
                "change in look: don't know",
                "not sure if it changed",
                "changed? no idea",
                "can't tell if it looks different",
                "change in appearance unclear",
            ),
            wordy=(
                "Maybe its colour has changed, maybe not, I couldn't tell you.",
                "You ask if it looks different now, and I honestly don't know.",
                "I have no old picture, so I can't say if its look has changed.",
            ),
            held_out=(
                "Has its look altered? Search me.",
                "I couldn't swear that its shade is the same, nor that it isn't.",
                "On its earlier appearance my memory is blank.",
                "I haven't got a clue if the outline is any different.",
                "Altered look uncertain.",
            ),
        ),
    },
    "bleed": {
        "yes": Wordings(
            plain=(
                "It bleeds.",
                "It has bled.",
                "It bleeds from time to time.",
                "It bleeds easily.",
                "There was some blood on it.",
                "I have seen it bleed.",
            ),
            terse=(
                "bleeds",
                "bleeding sometimes",
                "bleeding: yes",
                "bled a few times",
                "some blood",
                "bleeds? yes",
            ),
            wordy=(
                "I have found blood on my pillow because of it.",
                "It starts to bleed when I dry myself with a towel.",
                "What frightened me is that it has bled.",
                "I had to put a plaster on it because it was bleeding.",
            ),
            held_out=(
                "Does it bleed? More than once it did.",
                "It leaves red stains on my clothes.",
                "Blood comes out when it is knocked.",
                "It oozes blood.",
                "Blood present.",
            ),
        ),
        "no": Wordings(
            plain=(
                "It doesn't bleed.",
                "It does not bleed.",
                "It has never bled.",
                "There is no bleeding.",
                "It hasn't bled.",
                "I have not seen any blood.",
            ),
            terse=("no bleeding", "bleeds: no", "bleeding? no", "no blood", "never bled", "does not bleed"),
            wordy=(
                "I have never found any blood on it.",
                "As for bleeding, there hasn't been any.",
                "Even when I rub it with a towel, it doesn't bleed.",
                "I was asked if it bleeds, and it never did.",
            ),
            held_out=(
                "Does it bleed? Not a drop.",
                "My clothes have stayed free of blood stains.",
                "Not once did blood come out of it.",
                "It has yet to bleed for the first time.",
                "Blood absent.",
            ),
        ),
        "unknown": Wordings(
            plain=(
                "I don't know whether it bleeds.",
                "I am not sure if it has bled.",
                "I can't say whether it bleeds.",
                "I don't remember if it bled.",
                "I have not checked whether it bleeds.",
            ),
            terse=(
                "bleeding: don't know",
                "not sure about bleeding",
                "bleeds? no idea",
                "can't tell if it bled",
                "bleeding unclear",
            ),
            wordy=(
                "Maybe it has bled, maybe not, I couldn't tell you.",
                "You ask about bleeding, and I honestly don't know.",
                "It may have bled at night, but I can't be sure that it did.",
            ),
            held_out=(
                "Does it bleed? I couldn't tell you.",
                "I couldn't swear to blood, nor rule it out.",
                "On the question of blood I must pass.",
                "I haven't got a clue if any blood came out.",
                "Blood uncertain.",
            ),
        ),
    },
    "elevation": {
        "yes": Wordings(
            plain=(
                "It is raised.",
                "It is a bump.",
                "It sticks out from the skin.",
                "I can feel that it is raised.",
                "It is higher than the skin around it.",
                "It is not flat.",
            ),
            terse=("raised", "a bump", "not flat", "raised: yes", "sticks out", "elevated"),
            wordy=(
                "When I run a finger over it, I feel a bump.",
                "It stands above the skin, so that I feel it with my eyes closed.",
                "It is like a small hill on the skin.",
                "It is not level with the skin, I catch on it when I wash.",
            ),
            held_out=(
                "It forms a little lump.",
                "It pokes up, my fingertip stops at it.",
                "Is it flat? Far from it.",
                "It protrudes.",
                "Lump present.",
            ),
        ),
        "no": Wordings(
            plain=(
                "It is flat.",
                "It is not raised.",
                "It is level with the skin.",
                "It doesn't stick out.",
                "There is no bump.",
                "It is no higher than the skin around it.",
            ),
            terse=("flat", "not raised", "no bump", "raised: no", "bump? no", "completely flat"),
            wordy=(
                "When I run a finger over it, I feel no bump.",
                "It lies flat, so that I can't feel it with my eyes closed.",
                "You would think it sticks out, but it is flat.",
                "It is as level as the skin around it.",
            ),
            held_out=(
                "It doesn't protrude at all.",
                "My fingertip glides over it without a stop.",
                "Is it a lump? No, it is even with its surroundings.",
                "Nothing stands up there.",
                "Lump absent.",
            ),
        ),
        "unknown": Wordings(
            plain=(
                "I don't know whether it is raised.",
                "I am not sure if it is raised or flat.",
                "I can't say whether it is flat.",
                "I haven't felt whether there is a bump.",
                "I never checked if it sticks out.",
            ),
            terse=(
                "raised: don't know",
                "not sure if raised",
                "bump? no idea",
                "can't tell if it is flat",
                "raised or flat unclear",
            ),
            wordy=(
                "Maybe it is raised, maybe it is flat, I couldn't tell you.",
                "You ask if it sticks out, and I honestly don't know.",
                "I can't reach it well enough to say if it is flat.",
            ),
            held_out=(
                "Is it flat? I wouldn't know.",
                "I couldn't swear that it protrudes, nor that it doesn't.",
                "I haven't got a clue if one could call it a lump.",
                "On the question of its height I must pass.",
                "Lump uncertain.",
            ),
        ),
    },
}

# Lists of two or three symptoms with one answer. A placeholder names the form of the phrases (FORMS) and
# the word that joins them: {bare_or} -> "itch, hurt or bleed", {noun_no} -> "itching, no pain, no bleeding".
LISTS = {
    "yes": Wordings(
        plain=(
            "It {statement_and}.",
            "Yes, it {statement_and}.",
            "I have noticed {noun_and}.",
            "The spot {statement_and}.",
        ),
        terse=("{statement_comma}", "{noun_comma}: yes", "with {noun_and}", "it {statement_and}"),
        wordy=(
            "To be honest, it {statement_and}, and that is why I came.",
            "My problem is that it {statement_and}.",
        ),
        held_out=(
            "I can report that it {statement_and}.",
            "You can write down {noun_and}.",
            "On top of it all it {statement_and}.",
        ),
    ),
    "no": Wordings(
        plain=(
            "It doesn't {bare_or}.",
            "It does not {bare_or}.",
            "No {noun_no}.",
            "I have noticed no {noun_or}.",
            "It {denial_and}.",
            "I have had no {noun_or}.",
            "It neither {statement_nor}.",
        ),
        terse=("no {noun_no}", "no {noun_or}", "{noun_comma}: no", "doesn't {bare_or}"),
        wordy=(
            "Luckily it {denial_and}.",
            "I have waited for {noun_or}, but there was nothing of the sort.",
            "I would tell you if it {statement_or}, but that is not so.",
        ),
        held_out=(
            "I have been spared any {noun_or}.",
            "At no time did it {bare_or}.",
            "You can cross out {noun_and}.",
        ),
    ),
    "unknown": Wordings(
        plain=(
            "I don't know whether it {statement_or}.",
            "I'm not sure if it {statement_or}.",
            "I can't say if it {statement_or}.",
        ),
        terse=("{noun_comma}: don't know", "not sure about {noun_or}", "no idea if it {statement_or}"),
        wordy=("You may ask if it {statement_or}, but I honestly don't know.",),
        held_out=(
            "On {noun_and} I must pass.",
            "I haven't got a clue if it {statement_or}.",
            "About {noun_or} I couldn't swear one way or the other.",
        ),
    ),
}

# One symptom that is there and one that is not, in one sentence: {yes} takes a statement, {no} a denial.
CONTRASTS = Wordings(
    plain=(
        "It {yes} but {no}.",
        "It {no} but {yes}.",
        "It {yes}, although it {no}.",
        "It {no}, but it {yes}.",
    ),
    terse=("{yes} but {no}", "{no} but {yes}", "{yes}, though it {no}"),
    wordy=(
        "The strange thing is that it {yes} and yet it {no}.",
        "I can live with it, as it {no}, but it {yes}.",
    ),
    held_out=("While it {yes}, it {no}.", "It {no}; even so, it {yes}.", "True, it {yes}, only it {no}."),
)

# Form -> symptom -> phrases.
FORMS = {
    "statement": {
        "itch": Phrases(training=("itches", "is itchy"), held_out=("feels itchy",)),
        "grew": Phrases(training=("has grown", "has got bigger"), held_out=("is larger than before",)),
        "hurt": Phrases(training=("hurts", "is painful"), held_out=("aches",)),
        "changed": Phrases(
            training=("has changed its look", "looks different from before"),
            held_out=("has altered its appearance",),
        ),
        "bleed": Phrases(training=("bleeds", "has bled"), held_out=("loses blood",)),
        "elevation": Phrases(training=("is raised", "sticks out"), held_out=("protrudes",)),
    },
    "denial": {
        "itch": Phrases(training=("doesn't itch", "isn't itchy"), held_out=("doesn't feel itchy",)),
        "grew": Phrases(
            training=("hasn't grown", "hasn't got bigger"), held_out=("is no larger than before",)
        ),
        "hurt": Phrases(training=("doesn't hurt", "isn't painful"), held_out=("doesn't ache",)),
        "changed": Phrases(
            training=("hasn't changed its look", "doesn't look different from before"),
            held_out=("hasn't altered its appearance",),
        ),
        "bleed": Phrases(training=("doesn't bleed", "hasn't bled"), held_out=("loses no blood",)),
        "elevation": Phrases(training=("isn't raised", "is flat"), held_out=("doesn't protrude",)),
    },
    "bare": {
        "itch": Phrases(training=("itch",), held_out=("feel itchy",)),
        "grew": Phrases(training=("grow", "get bigger"), held_out=("become larger",)),
        "hurt": Phrases(training=("hurt",), held_out=("ache",)),
        "changed": Phrases(
            training=("change its look", "look different from before"), held_out=("alter its look",)
        ),
        "bleed": Phrases(training=("bleed",), held_out=("lose blood",)),
        "elevation": Phrases(training=("stick out",), held_out=("protrude",)),
    },
    "noun": {
        "itch": Phrases(training=("itching",), held_out=("itchiness",)),
        "grew": Phrases(training=("growth",), held_out=("increase in size",)),
        "hurt": Phrases(training=("pain", "soreness"), held_out=("ache",)),
        "changed": Phrases(
            training=("changes in look", "changes in appearance"), held_out=("change of colour or shape",)
        ),
        "bleed": Phrases(training=("bleeding",), held_out=("blood",)),
        "elevation": Phrases(training=("raised skin",), held_out=("lump",)),
    },
}

# Nothing medical in them. Some deny, doubt or count, so that "not", "I don't know" and a number alone tell
# nothing.
FILLERS = Wordings(
    plain=(
        "I hope you can help me.",
        "My wife told me to come.",
        "My husband asked me to show it to you.",
        "Thank you for your time.",
        "I am not good at describing things.",
        "I don't know what else to say.",
        "I waited {number} days for this appointment.",
        "I live far from the clinic.",
        "My daughter took the photo.",
        "I don't go to the doctor often.",
        "Hello doctor.",
        "I am not in a hurry.",
        "Please tell me what you think.",
        "A neighbour of {number} sent me here.",
    ),
    terse=(
        "hello",
        "thanks",
        "please advise",
        "photo attached",
        "not in a hurry",
        "see photo",
        "no other questions",
    ),
    wordy=(
        "I'm not sure if this is the right place to ask, but I hope so.",
        "I took {number} photos and this was the best of them.",
        "My son, who is {number}, said that I should have it looked at.",
        "I have never used anything like this before, so bear with me.",
        "I read a lot on the internet and came away no wiser.",
        "It took me {number} minutes to get here by bus.",
    ),
    held_out=(
        "Sorry for taking up your morning.",
        "A friend gave me your address.",
        "I wrote this together with my sister, who is {number}.",
        "I can't think of any more details.",
        "Nobody could tell me where to turn.",
        "Kind regards from the countryside.",
        "I'd be glad to hear from you.",
        "The camera of my phone isn't the best.",
    ),
)
