"""The English names of the languages that Whisper knows, as OpenAI's `verbose_json` writes them, and their codes.

It must not know of any other language: what is no name here may still be a code.
"""

_NAMES = """
afrikaans=af albanian=sq amharic=am arabic=ar armenian=hy assamese=as azerbaijani=az bashkir=ba basque=eu
belarusian=be bengali=bn bosnian=bs breton=br bulgarian=bg cantonese=yue catalan=ca chinese=zh croatian=hr czech=cs
danish=da dutch=nl english=en estonian=et faroese=fo finnish=fi french=fr galician=gl georgian=ka german=de greek=el
gujarati=gu haitian_creole=ht hausa=ha hawaiian=haw hebrew=he hindi=hi hungarian=hu icelandic=is indonesian=id
italian=it japanese=ja javanese=jw kannada=kn kazakh=kk khmer=km korean=ko lao=lo latin=la latvian=lv lingala=ln
lithuanian=lt luxembourgish=lb macedonian=mk malagasy=mg malay=ms malayalam=ml maltese=mt maori=mi marathi=mr
mongolian=mn myanmar=my nepali=ne norwegian=no nynorsk=nn occitan=oc pashto=ps persian=fa polish=pl portuguese=pt
punjabi=pa romanian=ro russian=ru sanskrit=sa serbian=sr shona=sn sindhi=sd sinhala=si slovak=sk slovenian=sl
somali=so spanish=es sundanese=su swahili=sw swedish=sv tagalog=tl tajik=tg tamil=ta tatar=tt telugu=te thai=th
tibetan=bo turkish=tr turkmen=tk ukrainian=uk urdu=ur uzbek=uz vietnamese=vi welsh=cy yiddish=yi yoruba=yo
"""
CODES = {name.replace("_", " "): code for name, _, code in (entry.partition("=") for entry in _NAMES.split())}
"""From name to code."""
NAMES = {code: name for name, code in CODES.items()}
"""From code to name."""
