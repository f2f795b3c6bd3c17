"""The password rules: long enough and not a common password (ASVS 6.2).

There are no others.
"""

MIN_CHARACTERS = 8
MAX_BYTES = 1_024

# The most common leaked passwords that are long enough to be accepted otherwise.
COMMON = frozenset(
    """
00000000 000000000 0000000000 0123456789 0987654321 10101010 11111111 111111111 1111111111 11223344 12121212
123123123 12341234 12344321 123454321 12345678 123456789 1234567890 1234567890a 12345678910 123456789a 12345678a
1234567a 123456aa 123456ab 123456abc 123456qwerty 12345qwert 1234asdf 1234qwer 123qweasd 123qweasdzxc 13131313
147258369 159753456 1a2b3c4d 1password 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 20202020 22222222
33333333 44444444 55555555 66666666 741852963 77777777 789456123 87654321 88888888 987654321 9876543210 99999999
a1234567 a12345678 a123456789 a1b2c3d4 aa123456 aa12345678 aaaaaaaa aaaaaaaaaa abc12345 abc123456 abcd1234
abcdefg1 abcdefgh abcdefghi access14 admin123 admin1234 admin12345 admin123456 admin@123 adminadmin administrator
alexander alexandra america1 angel123 angels12 arsenal1 asd123asd asdasdasd asdf1234 asdfasdf asdfghjk asdfghjkl
asdfghjkl1 ashley12 azerty123 azertyuiop babygirl babygirl1 barcelona barcelona1 baseball baseball1 basketball
batman123 benjamin blessed1 blink182 bluebird bmw12345 butterfly butterfly1 canada12 changeit changeme changeme1
changeme123 charlie1 chatchat cheese12 chelsea1 chicken1 chocolate chocolate1 christian christine cocacola
computer computer1 contrasena cookie12 cookies1 correcthorsebatterystaple corvette cowboys1 dallas22 danielle
default1 diamond1 dragon12 dragon123 dragonball elizabeth england1 england123 facebook facebook1 ferrari1
flower123 flowers1 football football1 football123 fortnite freedom1 garfield germany1 godisgood google123 guest123
heaven12 hello123 hello1234 hello12345 hellohello hubbub123 hubbubhubbub hunter12 hunter22 ilovegod iloveher
ilovehim iloveyou iloveyou1 iloveyou123 iloveyou2 instagram internet internet1 jennifer jennifer1 jessica1
jesus123 jesuschrist jonathan jordan23 juventus killer12 killer123 lakers24 letmein! letmein1 letmein123
letmeinnow letmeinplease linkedin liverpool liverpool1 lovelove loveme123 loveyou1 manchester1 master12 master123
maverick mercedes metallica michael1 michael23 michelle michelle1 midnight minecraft minecraft1 monkey12 monkey123
motdepasse mountain mustang1 mypassword mypassword1 myspace1 nicole12 nirvana1 p@$$w0rd p@ssw0rd p@ssw0rd1
p@ssword p@ssword1 pa$$w0rd pa$$word passw0rd passw0rd! passw0rd1 password password! password01 password1
password1! password11 password12 password123 password1234 password12345 password2 password3 password99 passwort
passwort1 patricia pokemon1 pokemon123 porsche1 precious1 princess princess1 purple12 q1w2e3r4 q1w2e3r4t5
qazwsx123 qazwsxedc qwe123qwe qweqweqwe qwer1234 qwerasdf qwerty12 qwerty123 qwerty1234 qwerty12345 qwerty123456
qwerty321 qwertyui qwertyuiop qwertyuiop1 qwertz123 realmadrid redskins roblox123 rockstar1 rockyou1 root1234
rootroot samantha samantha1 samsung1 samsung123 secret123 secretsecret security security1 shadow12 shadow123
slipknot1 snoopy12 snowball softball spiderman spiderman1 starwars starwars1 steelers stephanie sunshine sunshine1
superman superman1 test1234 test12345 testing1 testing123 testtest tinkerbell trustno1 twitter1 user1234 veronica
victoria wachtwoord welcome! welcome1 welcome12 welcome123 welcome1234 whatever whatever1 windows1 yankees1
youtube1 zaq12wsx zaq1zaq1 zxcv1234 zxcvbnm1 zxcvbnm123 zxcvzxcv zxczxczxc
    """.split()  # noqa: SIM905  a paragraph to read, not 330 literals
)


def check_password(password: str, username: str = "") -> str:
    """Return `password` unchanged.

    Raises ValueError with the broken rule, without the password.
    """
    if len(password) < MIN_CHARACTERS:
        raise ValueError(f"passwords must have at least {MIN_CHARACTERS} characters")
    if len(password) > MAX_BYTES or len(password.encode(errors="surrogatepass")) > MAX_BYTES:
        raise ValueError(f"passwords can have at most {MAX_BYTES:,} bytes")
    plain = password.casefold()
    if plain in COMMON or len(set(plain)) < 3:
        raise ValueError("this password is too easy to guess. Choose another one")
    if plain.strip("0123456789") == username.casefold() != "":
        raise ValueError("the password must not be the user name")
    return password
