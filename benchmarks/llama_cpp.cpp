// What llama.cpp makes of a GGUF file: of each text its tokens, and the logits after the last of them.
// Usage: PROGRAM model.gguf < texts, each ended by a zero byte
#include "llama.h"

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

static void errors_only(ggml_log_level level, const char * text, void *) {
    if (level >= GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
}

int main(int, char ** arguments) {
    llama_log_set(errors_only, nullptr);
    llama_backend_init();
    llama_model * model = llama_model_load_from_file(arguments[1], llama_model_default_params());
    if (!model) return 1;
    const llama_vocab * vocabulary = llama_model_get_vocab(model);
    llama_context_params settings = llama_context_default_params();
    settings.n_ctx = llama_model_n_ctx_train(model);
    settings.n_threads = settings.n_threads_batch = 1;  // more wait for each other busily
    settings.type_k = settings.type_v = GGML_TYPE_F32;
    settings.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    std::string text;
    while (std::getline(std::cin, text, '\0')) {
        std::vector<llama_token> tokens(text.size() + 8);
        const int count = llama_tokenize(vocabulary, text.data(), text.size(), tokens.data(), tokens.size(), true, true);
        llama_context * context = llama_init_from_model(model, settings);
        if (count <= 0 || !context || llama_decode(context, llama_batch_get_one(tokens.data(), count))) return 2;
        for (int i = 0; i < count; i++) printf("%d ", tokens[i]);
        printf("\n");
        const float * logits = llama_get_logits_ith(context, -1);
        for (int i = 0; i < llama_vocab_n_tokens(vocabulary); i++) printf("%.9g ", logits[i]);
        printf("\n");
        llama_free(context);
    }
}
