; Bf16.1x1: 168 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          ecx, [rdi+0x38]
    vmovups      zmm0, [r11]
L1:
    mov          esi, [rdi+0x3c]
    cmp          ecx, 1
    cmove        esi, [rdi+0x40]
L2:
    prefetcht0   [rax+0x2000]
    vmovdqu64    zmm1, [rax]
    vpbroadcastd zmm2, [rdx]
    vdpbf16ps    zmm0, zmm1, zmm2
    prefetcht0   [rax+0x2040]
    vmovdqu64    zmm1, [rax+0x40]
    vpbroadcastd zmm2, [rdx+4]
    vdpbf16ps    zmm0, zmm1, zmm2
    prefetcht0   [rax+0x2080]
    vmovdqu64    zmm1, [rax+0x80]
    vpbroadcastd zmm2, [rdx+8]
    vdpbf16ps    zmm0, zmm1, zmm2
    prefetcht0   [rax+0x20c0]
    vmovdqu64    zmm1, [rax+0xc0]
    vpbroadcastd zmm2, [rdx+0xc]
    vdpbf16ps    zmm0, zmm1, zmm2
    add          rax, 0x100
    add          rdx, 0x10
    dec          esi
    jne          short L2
    dec          ecx
    jne          near L1
    vmovups      [r11], zmm0
    vzeroupper
    ret
